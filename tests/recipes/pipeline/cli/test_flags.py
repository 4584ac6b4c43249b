"""The command line: flags from a dataclass, help, usage errors, exit codes."""

import re
import signal
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from absl import flags as absl_flags
from hypothesis import given
from hypothesis import strategies as st

from recipes.checks.settings import setting
from recipes.errors import ArgumentError, InputError
from recipes.pipeline.cli import flags
from recipes.pipeline.cli.config import DataConfig
from recipes.pipeline.cli.config_fields import fields_of, help_text
from tests.commands import ROOT, Ended, run_forked, run_fresh


@dataclass(frozen=True, kw_only=True)
class Config(DataConfig):
    """A recipe's configuration, as the tests need one."""

    dataset: str = setting("diabetes", "embedded name or path")
    learning_rate: float | Literal["auto"] = setting(
        "auto", "step size; auto: 1/L", above=0
    )
    method: Literal["gram", "full"] = setting("gram", "one pass, or every step anew")
    max_iterations: int = setting(1000, "the most steps", least=1)
    l2: float = setting(0.0, "weight of the squared norm")
    sizes: tuple[int, ...] = setting((128,), "units of each layer")
    twin: Any = setting(None, "for programs", is_flag=False)


def parse(*arguments):
    values = absl_flags.FlagValues()
    flags.define(Config, "example", "Does it.", values)
    return flags.parse(Config, ["program", *arguments], values)


def message(*arguments):
    with pytest.raises(InputError) as error:
        parse(*arguments)
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


def test_defaults_are_the_dataclass_s():
    assert parse() == Config()


def test_values_take_their_fields_types():
    config = parse(
        "--learning_rate=0.5", "--method", "full", "--noreport", "--seed=7", "-l2=1"
    )
    assert config == Config(
        learning_rate=0.5, method="full", report=False, seed=7, l2=1.0
    )
    assert type(config.l2) is float
    assert parse("--learning_rate=auto").learning_rate == "auto"
    assert parse("--report=false", "--target=a b").target == "a b"
    assert parse("--sizes=256,128").sizes == (256, 128)
    assert parse("--sizes= 64 , 8").sizes == (64, 8)
    assert parse("--sizes=").sizes == ()


def test_every_flag_has_its_field_s_help():
    helps = {field.name: field.help for field in fields_of(Config)}
    assert helps["learning_rate"] == "step size; auto: 1/L"
    assert helps["dataset"] == "embedded name or path"
    assert helps["report"] == "write report.html"
    assert all(helps.values())
    assert "twin" not in helps


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("--seed=1.5", "--seed=1.5: should be a whole number"),
        ("--seed=-1", "--seed=-1: should be a whole number from 0"),
        ("--l2=much", "--l2=much: should be a number"),
        ("--l2=nan", "--l2=nan: should be a number"),
        ("--l2=inf", "--l2=inf: should be a number"),
        ("--learning_rate=atuo", "a number above 0 or auto (did you mean auto?)"),
        (
            "--learning_rate=-1",
            "--learning_rate=-1.0: should be a number above 0 or auto",
        ),
        ("--method=grm", "should be gram or full (did you mean gram?)"),
        (
            "--sizes=2,x",
            "--sizes=2,x: should be whole numbers, with commas between them",
        ),
        ("--sizes=2,,3", "--sizes=2,,3: should be whole numbers"),
        ("--sizes=1.5", "--sizes=1.5: should be whole numbers"),
        ("--report=maybe", "--report=maybe: should be true or false"),
        ("--noreport=true", "does not take an argument"),
        (
            "--test_fraction=0",
            "--test_fraction=0.0: should be a number above 0 and below 1",
        ),
        (
            "--test_fraction=1",
            "--test_fraction=1.0: should be a number above 0 and below 1",
        ),
        ("--test_fraction=nan", "should be a number above 0"),
        ("--task=regresion", "(did you mean regression?)"),
        ("--task=", "should be auto, regression or classification"),
        ("--target=a\nb", "should be one line"),
        ("--max_iterations", "Missing value for flag --max_iterations"),
        ("--learning-rte=1", "no such flag (did you mean --learning_rate?)"),
        ("--norepotr", "no such flag (did you mean --noreport?)"),
        ("--zzz", "--zzz: no such flag; --help"),
        ("data.csv", "'data.csv': stray argument"),
        ("--flagfile=/no/such/file", "/no/such/file"),
    ],
)
def test_bad_input_is_reported_in_one_line(argument, expected):
    assert expected in message(argument)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("test_fraction", value) for value in (0.0, 1.0, -0.1, 1.5, float("nan"))),
        ("seed", -1),
        ("seed", 2**32),
        ("task", "regresion"),
        ("target", "a\nb"),
    ],
)
def test_a_program_s_bad_settings_are_refused_too(name, value):
    with pytest.raises(ArgumentError, match=f"`{name}` should be"):
        Config(**{name: value})


def test_switch_with_a_loose_value_is_reported():
    assert "'false': stray argument" in message("--report", "false")


def test_flagfile_of_another_encoding_is_reported(tmp_path):
    file = tmp_path / "flags.txt"
    file.write_bytes(b"--target=\xff\xfe\n")
    assert "decode" in message(f"--flagfile={file}")


texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"])
).filter(lambda text: text == text.strip())
configs = st.builds(
    Config,
    dataset=texts,
    target=texts,
    seed=st.integers(0, 2**32 - 1),
    test_fraction=st.floats(0, 1, exclude_min=True, exclude_max=True),
    learning_rate=st.just("auto") | st.floats(1e-300, 1e300),
    method=st.sampled_from(["gram", "full"]),
    report=st.booleans(),
    out_dir=texts,
    sizes=st.lists(st.integers()).map(tuple),
)


@given(configs)
def test_flags_text_repeats_the_run(tmp_path_factory, config):
    file = tmp_path_factory.mktemp("flags") / "flags.txt"
    file.write_text(flags.flags_text(config), encoding="utf-8")
    assert parse(f"--flagfile={file}") == config


def test_flags_text_leaves_out_resume():
    assert "resume" not in flags.flags_text(Config(resume=True))
    assert "--out_dir=\n" in flags.flags_text(Config())


class Frame:
    def __arrow_c_stream__(self, requested_schema=None):
        raise NotImplementedError

    def __eq__(self, other):
        raise ValueError("ambiguous, as of pandas")


@dataclass(frozen=True, kw_only=True)
class FrameConfig(Config):
    dataset: Any = setting("diabetes", "embedded name or path")


def test_a_data_frame_is_named_by_its_type():
    config = FrameConfig(dataset=Frame())
    text = flags.flags_text(config)
    assert text.startswith("# A data frame, given in Python")
    assert "\n--dataset=<Frame>\n--test_dataset=\n" in text
    assert flags.command(config, "example")[3:] == ["--dataset=<Frame>"]


@pytest.mark.parametrize("value", [5, None, ["a.csv"], {"x": [1]}])
def test_data_are_named_or_a_data_frame(value):
    with pytest.raises(ArgumentError, match="a name, a file or a data frame"):
        FrameConfig(dataset=value)
    with pytest.raises(ArgumentError, match="`test_dataset` should be"):
        FrameConfig(test_dataset=value)


@given(configs)
def test_command_repeats_the_run(config):
    words = flags.command(config, "example")
    assert words[:3] == ["python", "-m", "recipes.example"]
    assert parse(*words[3:]) == config


def test_command_shows_only_what_differs():
    config = Config(target="price/m² (€)", report=False, l2=0.1)
    assert flags.command(config, "example") == [
        "python",
        "-m",
        "recipes.example",
        "--target=price/m² (€)",
        "--noreport",
        "--l2=0.1",
    ]
    assert flags.command(Config(), "example") == ["python", "-m", "recipes.example"]


def test_help_has_own_flags_first_then_shared_with_defaults():
    text = help_text(fields_of(Config), "example", "Does it.\n\nMore.")
    assert text.startswith("Does it.\n")
    assert "More." not in text
    own, shared = text.split("Data and run:")
    for field in fields_of(Config):
        part = shared if field.name in DataConfig.__dataclass_fields__ else own
        assert re.search(rf"--(\[no\])?{field.name}\b", part), field.name
    assert "--learning_rate=NUMBER|auto" in own
    assert "(from 1; default: 1000)" in own
    assert "--[no]report" in shared
    assert "(default: on)" in shared
    assert max(map(len, text.splitlines())) <= 100


# The rest runs a program, as a user does.

PROGRAM = """
    import dataclasses, os, signal, sys, warnings
    from dataclasses import dataclass
    from typing import Any, Literal
    from absl import logging
    from recipes.pipeline.cli import flags, program
    from recipes.pipeline.cli.config import DataConfig
    from recipes.checks.settings import setting
    from recipes.errors import ArgumentError, InputError

    @dataclass(frozen=True, kw_only=True)
    class Config(DataConfig):
        dataset: str = setting("diabetes", "where the rows come from")
        rate: float = setting(0.5, "step size")
        end: Literal[
            "well", "input", "rate", "fault", "argument", "stop", "press"
        ] = setting("well", "how it ends")

    def train_and_evaluate(config):
        import tensorflow as tf
        tf.constant(1.0) + 1
        tf.function(lambda x: x + 1, jit_compile=True)(tf.constant(1.0))
        logging.info("absl's info is not for users")
        if config.end == "input":
            raise InputError("data.csv:3:\\nno number")
        if config.end == "rate":
            raise ArgumentError("rate", "smaller", config.rate)
        if config.end == "argument":
            raise ArgumentError("of_ours", "right", "wrong")
        if config.end == "fault":
            raise RuntimeError("broken")
        if config.end == "stop":
            raise KeyboardInterrupt("kept model.keras")
        if config.end == "press":
            warnings.warn("of no interest any more")
            try:
                os.kill(os.getpid(), signal.SIGINT)
                while True:
                    pass
            except KeyboardInterrupt as interrupt:
                sys.excepthook(SystemError, SystemError("in C"), None)
                # What pybind11 makes of it.
                raise RuntimeError("KeyboardInterrupt: <EMPTY MESSAGE>") from None
        print(config.rate)
        return object()

    if __name__ == "__main__":
        program.run(
            lambda: flags.run(
                Config, train_and_evaluate, recipe="example", doc="Does it."
            )
        )
        """


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    file = tmp_path_factory.mktemp("program") / "program.py"
    file.write_text(textwrap.dedent(PROGRAM))

    def run(*arguments, python=run_forked, **variables):
        return python(file.parent, str(file), *arguments, **variables)

    return run


def test_run_ends_with_0(program):
    # In a new process: TensorFlow's import tells nothing, either, nor does
    # matplotlib's, which misses a folder for its settings.
    ended = program("--rate=0.25", python=run_fresh, HOME="/dev/null")
    assert ended == Ended(0, "0.25\n", "")


def test_wrong_input_is_one_line_and_2(program):
    result = program("--end=input")
    assert result.code == 2
    assert result.err == "error: data.csv:3: no number\n"


def test_a_wrong_argument_is_reported_by_its_flag(program):
    result = program("--end=rate")
    assert result.code == 2
    assert result.err == "error: --rate=0.5: should be smaller\n"


@pytest.mark.parametrize(
    ("end", "error"),
    [
        ("fault", "RuntimeError: broken"),
        ("argument", "ArgumentError: `of_ours` should be right"),
    ],
)
def test_our_fault_is_a_traceback_and_1(program, end, error):
    result = program(f"--end={end}")
    assert result.code == 1
    assert error in result.err


def test_an_interrupt_is_reported_and_130(program):
    result = program("--end=stop")
    assert result.code == 128 + signal.SIGINT
    assert result.err == "\ninterrupted: kept model.keras\n"


def test_an_interrupt_that_comes_out_as_another_exception(program):
    result = program("--end=press")
    assert result.code == 128 + signal.SIGINT
    assert result.err == "\ninterrupted: the files written so far are whole\n"


@pytest.mark.parametrize("arguments", [["--rte=1"], ["--rate=x"], ["stray"]])
def test_usage_error_is_one_line_and_2(program, arguments):
    result = program(*arguments)
    assert result.code == 2
    assert result.out == ""
    assert re.fullmatch(r"error: .+\n", result.err)


def test_help_is_the_recipe_s_own_and_0(program):
    for spelling in ("--help", "-h"):
        result = program(spelling)
        assert result.code == 0
        assert "--rate=NUMBER" in result.out
        assert "logtostderr" not in result.out


def test_helpfull_is_absl_s(program):
    result = program("--helpfull")
    assert "--rate:" in result.out
    assert "--[no]logtostderr" in result.out


def test_flags_are_read_without_tensorflow():
    code = (
        "import sys; from recipes.pipeline.cli import flags; "
        "heavy = {'tensorflow', 'keras', 'numpy', 'sklearn', 'pyarrow'}; "
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_help_says_no_default_where_nothing_is_one():
    assert "(default: )" not in help_text(fields_of(DataConfig), "svm", "A recipe.")
