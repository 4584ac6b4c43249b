"""What the tests of all recipes share: a run's files, its numbers, and its ends."""

import json
import os
import re
import signal
import textwrap
import time

import numpy as np
import tensorflow as tf

FILES = {
    *("metrics.json", "report.html", "model.keras", "flags.txt", "run.json"),
    *("logs", "export"),
}
# What runs with the same seed may differ in.
_OF_THE_RUN = {"run", "seconds", "peak_memory_bytes", "versions"}


def names_in(folder):
    return {path.name for path in folder.iterdir()}


def metrics_of(folder):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads((folder / "metrics.json").read_text(), parse_constant=refuse)


def numbers_of(metrics):
    """Return what must be identical with the same seed, and may differ with another."""
    same = _OF_THE_RUN | {"recipe", "dataset"}
    return {name: part for name, part in metrics.items() if name not in same}


# How a command ends.


def check_files(folder, run):
    """Assert that a default run has left its files in the folder `run`, and no more."""
    assert names_in(folder) == {"runs"}
    assert names_in(folder / run) == FILES
    assert names_in(folder / run / "export") == {"1"}
    assert (folder / run / "export/1/saved_model.pb").is_file()
    assert list((folder / run / "logs").rglob("events.out.tfevents.*"))
    report = (folder / run / "report.html").read_text(encoding="utf-8")
    assert report.rstrip().endswith("</html>")


def summary_of(folder, ended, metrics):
    """Return the lines at the end of the output: scores, and where the files are."""
    lines = dict(line.split(": ", 1) for line in ended.out.splitlines() if ": " in line)
    for name, value in metrics["test"].items():
        assert f"{name}={value:.6g}" in lines["test"]
    assert (folder / lines["report"]).is_file()
    assert (folder / lines["SavedModel"] / "saved_model.pb").is_file()
    return lines


def check_plain_lines(ended):
    assert not re.search(r"[\r\b\x1b]", ended.out)


def refusal(ended):
    """Return the one line that reports what is wrong."""
    assert ended.code == 2, ended.err
    (line,) = ended.err.splitlines()
    assert line.startswith("error: ")
    return line


def refusal_of_flags(ended, folder):
    """Return that line, from a command that has not started anything."""
    assert ended.out == ""
    assert not list(folder.iterdir())
    return refusal(ended)


# A command that is stopped from outside.


# Guards against hanging; long, because another test may have the cores.
LONGEST_WAIT = 600.0  # seconds


def is_running(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(condition, process):
    """Wait until the condition holds, as long as the process runs."""
    end = time.monotonic() + LONGEST_WAIT
    while not condition():
        assert is_running(process), "it has ended"
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def press_ctrl_c(process):
    """Interrupt the process until it ends.

    An interrupt that comes in the middle of C code can be lost, so it is repeated; but
    late enough that it does not interrupt the ending, which is slow on busy cores.
    """
    end = time.monotonic() + LONGEST_WAIT
    next_press = 0.0
    while is_running(process):
        now = time.monotonic()
        assert now < end, "it goes on"
        if now >= next_press:
            os.kill(process, signal.SIGINT)
            next_press = now + 60
        time.sleep(0.01)


def interrupted_when(condition, command, folder, *flags):
    """Press Ctrl-C when the condition holds, and return the line that reports it."""

    def interrupt(process):
        wait_for(condition, process)
        press_ctrl_c(process)

    ended = command(folder, *flags, meanwhile=interrupt)
    assert ended.code == 130, ended.err
    (line,) = ended.err.strip().splitlines()
    assert line.startswith("interrupted: ")
    return line


def epochs_kept(folder):
    states = (folder / ".unfinished/backup").glob("[0-9]*.npz")
    return max((int(path.stem) for path in states), default=0)


def killed(command, folder, *flags, beyond):
    """Kill the command once it has saved a state of more epochs than `beyond`."""

    def kill(process):
        wait_for(lambda: epochs_kept(folder) > beyond, process)
        os.kill(process, signal.SIGKILL)

    ended = command(folder, *flags, meanwhile=kill)
    assert ended.code == -signal.SIGKILL
    assert not (folder / "metrics.json").exists()
    return epochs_kept(folder)


# A table, and models that are served in other processes.

CLASSES = ("fern", "moss", "übel, or not")


def table_of_plants(path, rng):
    """Write a table of three classes, with texts and blanks; return raw inputs."""
    soil = rng.choice(["a b", "ü", ""], 180)
    light = rng.normal(50, 9, 180)
    kind = (light > 47).astype(int) + (light > 54) * (soil != "ü")
    lines = ['soil,"light, %",plant']
    for s, v, k in zip(soil, light.tolist(), kind, strict=True):
        value = "" if rng.random() < 0.1 else repr(v)
        lines.append(f'"{s}",{value},"{CLASSES[k]}"')
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {
        "soil": np.array(["a b", "ü", "never seen"] * 10),
        "light, %": np.where(light[:30] > 60, np.nan, light[:30]).astype("float32"),
    }


def answers(run, raw):
    """Return the serving model's outputs in this process, as a dict."""
    tensors = {name: tf.constant(values) for name, values in raw.items()}
    answer = run.serving_model(tensors.get("features", tensors))
    answer = answer if isinstance(answer, dict) else {"prediction": answer}
    return {name: np.asarray(values) for name, values in answer.items()}


# The file holds the numbers of rows for each run.
_SERVED = """
import json, sys
sys.modules["layers"] = sys.modules["recipes"] = None  # cannot be imported
import numpy as np, tensorflow as tf
for name, (folder, counts) in json.load(open("folders.json")).items():
    loaded = tf.saved_model.load(folder + "/export/1")
    serve = loaded.signatures["serving_default"]
    arrays = np.load(name + ".npz")
    for rows in counts:
        part = {column: tf.constant(arrays[column][:rows]) for column in arrays}
        found = {key: value.numpy() for key, value in serve(**part).items()}
        found |= {k: v.astype("S") for k, v in found.items() if v.dtype == object}
        np.savez(f"{name}-{rows}.npz", **found)
"""
_LOADED = """
for name in ("layers", "recipes"):
    sys.modules.pop(name, None)
import keras, layers, {module}
for name, (folder, _) in json.load(open("folders.json")).items():
    model = keras.models.load_model(folder + "/model.keras")
    arrays = np.load(name + ".npz")
    tensors = {{column: tf.constant(arrays[column]) for column in arrays}}
    answer = model(tensors.get("features", tensors))
    answer = answer if isinstance(answer, dict) else {{"prediction": answer}}
    np.savez(name + "-keras.npz", **{{key: v.numpy() for key, v in answer.items()}})
"""


def check_elsewhere(folder, command, module, made, inputs, counts):
    """Assert that the SavedModel and Keras's file give the same in other processes.

    Args:
        folder: the folder to work in.
        command: runs Python there, in another process.
        module: the project's only module that Keras's file needs besides the layers.
        made: runs by name.
        inputs: raw inputs by name.
        counts: numbers of rows to serve by name.
    """
    folders = {name: (str(run.out_dir), counts[name]) for name, run in made.items()}
    (folder / "folders.json").write_text(json.dumps(folders))
    for name, raw in inputs.items():
        np.savez(folder / f"{name}.npz", **raw)
    code = _SERVED + _LOADED.format(module=module)
    ended = command(folder, "-c", textwrap.dedent(code))
    assert ended.code == 0, ended.err
    for name, run in made.items():
        expected = answers(run, inputs[name])
        loaded = np.load(folder / f"{name}-keras.npz")
        assert set(loaded) == set(expected)
        for key, values in expected.items():
            np.testing.assert_allclose(loaded[key], values, rtol=1e-5, atol=1e-6)
        for rows in counts[name]:
            found = dict(np.load(folder / f"{name}-{rows}.npz"))
            for key, values in expected.items():
                assert found[key].shape == (rows, *values.shape[1:])
                np.testing.assert_allclose(
                    found[key], values[:rows], rtol=1e-5, atol=1e-5
                )
            if "prediction" in expected:
                assert set(found) == {"prediction"}
                continue
            keys = {"scores", "probabilities", "class_index", "label"}
            assert set(found) == keys
            levels = run.data.description.target.levels
            named = [levels[i].encode() for i in found["class_index"]]
            assert found["label"].tolist() == named
        if "scores" in expected:
            assert len(set(found["label"].tolist())) > 1
