"""The descent of the machines as Keras shows it, and what is left of it."""

import gc
import weakref

import keras
import numpy as np
import pytest

from recipes.svm import (
    SupportVectorClassifier,
)
from recipes.svm.solver.kernel_cache import KernelCache
from recipes.svm.solver.smo_steps import solve_block
from tests.recipes.svm.fitting import (
    data,
    fit,
    fit_unfinished,
    three_classes,
)


@pytest.fixture(scope="module")
def large():
    """Rows for several outer iterations."""
    return data(n=2100)


def a_machine(**arguments):
    """One that takes some iterations for `large`."""
    return SupportVectorClassifier(
        **{"C": 100.0, "gamma": 5.0, "tolerance": 2e-3, **arguments}
    )


# ---- callbacks


class Watcher(keras.callbacks.Callback):
    """Keeps the logs, and stops after some iterations."""

    def __init__(self, stop_after=None):
        super().__init__()
        self.seen, self.stop_after = [], stop_after

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(dict(logs))
        if len(self.seen) == self.stop_after:
            self.model.stop_training = True


def test_logs_tell_the_descent(large):
    watcher = Watcher()
    model = fit(a_machine(), *large, callbacks=[watcher])
    (trace,) = model.traces
    assert len(watcher.seen) == model.certificate["iterations"] > 2
    for name in ("dual_objective", "duality_gap", "max_kkt_violation"):
        logged = [float(logs[name]) for logs in watcher.seen]
        np.testing.assert_allclose(logged, getattr(trace, name), rtol=1e-6)
    objective = trace.dual_objective
    assert (np.diff(objective) >= -1e-9 * abs(objective[-1])).all()
    assert trace.duality_gap[-1] < trace.duality_gap[0]
    assert watcher.seen[-1]["support_vectors"] == len(model.support_indices)


def test_history_is_the_state_after_the_last_iteration(large):
    model = a_machine()
    history = model.fit(*large, verbose=0).history
    assert history["support_vectors"] == [model.certificate["support_vectors"]]
    for name in ("dual_objective", "duality_gap", "max_kkt_violation"):
        assert history[name] == [getattr(model.traces[0], name)[-1]]


@pytest.mark.parametrize("several", [False, True])
def test_a_callback_ends_the_descent(large, several):
    x, y = large
    y = y + (x[:, 2] > 0.5) if several else y  # then the others are never begun
    model = a_machine(multiclass="one_vs_rest")
    model, warning = fit_unfinished(model, x, y, callbacks=Watcher(1))
    assert model.certificate["converged"] is False
    assert model.certificate["stop_reason"] == "interrupted"
    assert "it was interrupted" in warning
    # What is left is a model, with a true certificate.
    assert model.certificate["duality_gap"] > 0
    scores = model.predict(x[:5], verbose=0)
    assert np.isfinite(scores).all()
    # And `fit` works as ever.
    fit(model, *data())
    assert model.certificate["converged"]


def test_the_bar_shows_the_logs(capsys):
    SupportVectorClassifier().fit(*data(), verbose=1)
    shown = capsys.readouterr().out
    for name in ("dual_objective", "duality_gap", "max_kkt_violation", "support_vec"):
        assert name in shown


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # of h5py and NumPy 2
def test_tensorboard_and_checkpoints_work(tmp_path):
    board = keras.callbacks.TensorBoard(tmp_path / "logs", write_graph=False)
    whole, weights = tmp_path / "a.keras", tmp_path / "a.weights.h5"
    model = SupportVectorClassifier()
    x, y = data()
    callbacks = [
        board,
        keras.callbacks.ModelCheckpoint(whole),
        keras.callbacks.ModelCheckpoint(weights, save_weights_only=True),
    ]
    fit(model, x, y, callbacks=callbacks)
    assert list(tmp_path.glob("logs/train/events*"))
    expected = model.predict(x, verbose=0)
    loaded = keras.saving.load_model(whole)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), expected)
    loaded.expansion.bias.assign([7.0])
    loaded.load_weights(weights)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), expected)


class Fails(keras.callbacks.Callback):
    """Raises an error at one of its calls."""

    def __init__(self, at, error):
        super().__init__()
        setattr(self, at, lambda *_, **__: self.fail(error))

    def fail(self, error):
        raise error


@pytest.mark.parametrize(
    ("at", "error"),
    [
        ("on_train_batch_end", KeyboardInterrupt("Ctrl-C")),
        ("on_epoch_end", OSError("disk full")),
        ("on_train_end", OSError("disk full")),
    ],
)
def test_no_error_loses_the_fit(at, error):
    x, y = three_classes()
    model = SupportVectorClassifier(probability=True)
    with pytest.raises(type(error), match=str(error)):
        fit(model, x, y, callbacks=Fails(at, error))
    # These few problems are solved in the first iteration.
    assert model.certificate["converged"]
    assert model.classes.tolist() == [0, 1, 2]
    assert np.isfinite(model.probabilities(x)).all()


def test_an_error_amid_the_descent_leaves_the_machine_so_far(large):
    model = a_machine()
    with pytest.raises(OSError, match="disk full"):
        fit(model, *large, callbacks=Fails("on_train_batch_end", OSError("disk full")))
    assert model.certificate["stop_reason"] == "interrupted"
    assert model.certificate["iterations"] == 1
    assert 0 < len(model.support_indices) < len(large[0])
    assert np.isfinite(model.predict(large[0][:5], verbose=0)).all()


def test_an_error_before_the_descent_leaves_the_machine_before():
    model = fit(SupportVectorClassifier(), *data())
    before = model.get_weights(), dict(model.certificate)
    with pytest.raises(OSError, match="disk full"):
        fit(
            model,
            *data(seed=1),
            callbacks=Fails("on_train_begin", OSError("disk full")),
        )
    for found, expected in zip(model.get_weights(), before[0], strict=True):
        np.testing.assert_array_equal(found, expected)
    assert model.certificate == before[1]


# ---- memory and compilation


def test_kernel_rows_are_let_go(large, monkeypatch):
    made = []
    make = KernelCache.__init__

    def noted(self, *arguments):
        make(self, *arguments)
        made.append(weakref.ref(self))

    monkeypatch.setattr(KernelCache, "__init__", noted)
    model = fit(a_machine(), *large)
    gc.collect()
    assert len(made) == 1
    assert made[0]() is None
    assert model.certificate["converged"]


def test_a_second_fit_compiles_no_inner_steps(large):
    fit(a_machine(), *large)
    before = solve_block.experimental_get_tracing_count()
    fit(a_machine(C=50.0), *large)
    assert solve_block.experimental_get_tracing_count() == before


def test_seed_and_rows_give_the_same_bits(large):
    one, other = fit(a_machine(), *large), fit(a_machine(), *large)
    np.testing.assert_array_equal(one.dual_coefficients, other.dual_coefficients)
    np.testing.assert_array_equal(one.bias, other.bias)
    assert one.certificate == other.certificate
    for name in ("dual_objective", "duality_gap", "max_kkt_violation"):
        np.testing.assert_array_equal(
            getattr(one.traces[0], name), getattr(other.traces[0], name)
        )
