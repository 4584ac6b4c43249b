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
)


@pytest.fixture(scope="module")
def large():
    """Rows for several outer iterations."""
    return data(n=2100)


def a_machine(**arguments):
    """One that takes some iterations for `large`."""
    return SupportVectorClassifier(**{"C": 100.0, "gamma": 5.0, **arguments})


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


def test_tensorboard_and_checkpoints_work(tmp_path):
    board = keras.callbacks.TensorBoard(tmp_path / "logs", write_graph=False)
    model = SupportVectorClassifier()
    fit(model, *data(), callbacks=[board])
    assert list(tmp_path.glob("logs/train/events*"))


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
