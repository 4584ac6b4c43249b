"""What Keras's `fit` takes and a machine does not, refused before the solve."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

from recipes.svm import (
    OneClassSupportVectorMachine,
    SupportVectorClassifier,
    SupportVectorRegressor,
)
from tests.recipes.svm.fitting import data, fit, refused

MACHINES = (
    SupportVectorClassifier,
    SupportVectorRegressor,
    OneClassSupportVectorMachine,
)


class NeverCalled(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        raise AssertionError("the solve has begun")


def given(machine):
    return data()[:1] if machine is OneClassSupportVectorMachine else data()


@pytest.mark.parametrize("machine", MACHINES)
def test_every_argument_of_keras_is_taken_or_refused(machine):
    parameters = inspect.signature(keras.Model.fit).parameters.keys() - {"self"}
    taken = inspect.signature(machine.fit).parameters.keys()
    for name in parameters - taken:
        message = refused(machine(), *given(machine), **{name: 1})
        assert message.startswith(f"`{name}` should be omitted: ")


def test_other_names_are_pythons_matter():
    with pytest.raises(TypeError, match="unexpected keyword argument 'eposch'"):
        SupportVectorClassifier().fit(*data(), eposch=3)


CALLBACKS = {
    "EarlyStopping": lambda: keras.callbacks.EarlyStopping("duality_gap"),
    "ReduceLROnPlateau": keras.callbacks.ReduceLROnPlateau,
    "LearningRateScheduler": lambda: keras.callbacks.LearningRateScheduler(float),
    "BackupAndRestore": lambda: keras.callbacks.BackupAndRestore("never/written"),
    "SwapEMAWeights": keras.callbacks.SwapEMAWeights,
    "save_freq": lambda: keras.callbacks.ModelCheckpoint("a.keras", save_freq=5),
    "monitor": lambda: keras.callbacks.ModelCheckpoint("a.keras", save_best_only=True),
}


@pytest.mark.parametrize(("name", "build"), CALLBACKS.items(), ids=CALLBACKS)
def test_callbacks_that_could_do_nothing(name, build):
    callback = build()
    for callbacks in (callback, [NeverCalled(), callback]):
        assert name in refused(SupportVectorClassifier(), *data(), callbacks=callbacks)


def test_what_is_no_callback():
    message = refused(SupportVectorClassifier(), *data(), callbacks=["tensorboard"])
    assert "should be Keras callbacks. Received: 'tensorboard'" in message


def test_a_callback_of_the_same_name_is_the_users_matter():
    class EarlyStopping(keras.callbacks.Callback):
        """Of somebody's own, for iterations."""

    model = fit(SupportVectorClassifier(), *data(), callbacks=EarlyStopping())
    assert model.certificate["converged"]


# ---- compile


@pytest.mark.parametrize(
    "options",
    [{"jit_compile": True}, {"run_eagerly": True}, {"steps_per_execution": 9}],
)
def test_options_of_compile(options):
    x, y = data()
    expected = fit(SupportVectorClassifier(), x, y)
    model = SupportVectorClassifier()
    model.compile(**options)
    fit(model, x, y)
    assert model.certificate["iterations"] == expected.certificate["iterations"]
    np.testing.assert_allclose(
        model.predict(x, verbose=0), expected.predict(x, verbose=0), atol=2e-3
    )
    assert model.evaluate(x, y, verbose=0) == expected.evaluate(x, y, verbose=0)


@pytest.mark.filterwarnings("ignore:Even though the `tf.config")
def test_all_functions_may_run_eagerly():
    x, y = data(n=20)
    expected = fit(SupportVectorClassifier(), x, y).predict(x, verbose=0)
    tf.config.run_functions_eagerly(True)
    try:
        model = fit(SupportVectorClassifier(), x, y)
        found = model.predict(x, verbose=0)
    finally:
        tf.config.run_functions_eagerly(False)
    assert model.certificate["converged"]
    np.testing.assert_allclose(found, expected, atol=2e-3)
