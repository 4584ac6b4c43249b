"""What Keras's `fit` does, by a small model each: with FastFit and without."""

import contextlib
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from recipes.fast_fit import FastFit
from tests.recipes.fast_fit.small_models import (
    BATCH,
    CLASSES,
    FEATURES,
    Recorder,
    X,
    Y,
    compiled,
    dataset,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:fit proceeds step by step"),
]


class Fast(FastFit, keras.Model):
    """With the mixin."""


def build(cls, hidden=(), outputs=CLASSES, **options):
    keras.utils.set_random_seed(3)
    x = h = keras.Input((FEATURES,))
    for layer in hidden:
        h = layer()(h)
    return compiled(cls(x, keras.layers.Dense(outputs)(h)), **options)


def compare(make, act):
    """Assert that `act` gives the same with both kinds of model.

    Args:
        make: Returns a compiled model of a class.
        act: Trains it and returns numbers in a structure.

    Returns:
        The model with the mixin.
    """
    results, models = [], [make(keras.Model), make(Fast)]
    for model in models:
        with contextlib.suppress(AttributeError):
            model.shuffle_seed = 0
        results.append(keras.tree.flatten(act(model)))
    assert len(results[0]) == len(results[1]) > 0
    np.testing.assert_allclose(results[1], results[0], rtol=1e-5, atol=1e-6)
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    return models[1]


def is_fast(model):
    """Return whether the model was trained by a loop, not step by step."""
    return model._loops is not None and bool(model._loops.train._traced)


def train(model, *data, **options):
    data = data or (X, Y)
    defaults = {"epochs": 3, "verbose": 0, "shuffle": False}
    if not isinstance(data[0], tf.data.Dataset):
        defaults["batch_size"] = BATCH
    history = model.fit(*data, **{**defaults, **options}).history
    return [history[name] for name in sorted(history)]


OPTIMIZERS = {
    "momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "ema": lambda: keras.optimizers.SGD(0.1, use_ema=True, ema_overwrite_frequency=4),
    "accumulation": lambda: keras.optimizers.Adam(0.1, gradient_accumulation_steps=4),
    "clipping": lambda: keras.optimizers.Adam(0.1, global_clipnorm=0.5),
    "schedule": lambda: keras.optimizers.SGD(
        keras.optimizers.schedules.ExponentialDecay(0.1, 4, 0.5, staircase=True)
    ),
    "scaled": lambda: keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(0.1), dynamic_growth_steps=3
    ),
}
LAYERS = {
    "batch normalization": [keras.layers.BatchNormalization],
    "dropout": [lambda: keras.layers.Dropout(0.5, seed=1)],
    "noise": [lambda: keras.layers.GaussianNoise(0.5, seed=1)],
    "recurrent": [
        lambda: keras.layers.Reshape((FEATURES, 1)),
        lambda: keras.layers.GRU(2),
    ],
    "convolution": [
        lambda: keras.layers.Reshape((FEATURES, 1)),
        lambda: keras.layers.Conv1D(2, 3, activation="relu"),
        lambda: keras.layers.MaxPooling1D(),
        lambda: keras.layers.Flatten(),
    ],
    "regularization": [
        lambda: keras.layers.Dense(
            4, kernel_regularizer="l2", activity_regularizer="l1"
        )
    ],
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer(name):
    assert is_fast(compare(lambda cls: build(cls, optimizer=OPTIMIZERS[name]()), train))


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    assert is_fast(compare(lambda cls: build(cls, LAYERS[name]), train))


@pytest.mark.parametrize("steps_per_execution", [1, 4])
@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"validation_data": (X[:19], Y[:19])}, None),
        ({"validation_data": (X, Y), "validation_steps": 2}, None),
        ({"validation_data": (X[:19], Y[:19], np.arange(19.0))}, 3),
        ({"validation_data": dataset().repeat(), "validation_steps": 7}, None),
        ({"validation_split": 0.3, "validation_freq": 2}, None),
    ],
)
def test_validation_and_evaluation_after_it(options, size, steps_per_execution):
    def act(model):
        history = train(model, validation_batch_size=size, **options)
        return history, model.evaluate(X, Y, batch_size=4, verbose=0)

    compare(lambda cls: build(cls, steps_per_execution=steps_per_execution), act)


def test_evaluation_before_and_between():
    def act(model):
        first = model.evaluate(X, Y, batch_size=4, verbose=0)
        train(model, validation_data=(X, Y))
        second = model.evaluate(X, Y, batch_size=4, verbose=0)
        train(model, validation_data=(X, Y), validation_steps=1)
        return first, second, model.evaluate(X, Y, batch_size=4, verbose=0)

    compare(lambda cls: build(cls, steps_per_execution=5), act)


@pytest.mark.parametrize(("steps", "repeats"), [(1, None), (5, 3), (6, 3), (7, 3)])
@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize("given", [{}, {"steps_per_execution": 4}])
def test_steps_per_epoch(steps, repeats, given, monkeypatch):
    monkeypatch.setattr("recipes.fast_fit.feed.CHUNK_BATCHES", 4)
    data = dataset().repeat(repeats)
    compare(
        lambda cls: build(cls, **given),
        lambda model: train(model, data, steps_per_epoch=steps),
    )


class Stop(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        self.model.stop_training = self.model.optimizer.iterations >= 9


class WarmUp(keras.callbacks.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        self.model.optimizer.learning_rate = 0.01 * (batch + 1)


@pytest.mark.parametrize("callback", [Stop, WarmUp, keras.callbacks.TerminateOnNaN])
@pytest.mark.parametrize("steps_per_execution", [1, 4])
def test_callbacks_that_act_on_batches(callback, steps_per_execution):
    compare(
        lambda cls: build(cls, steps_per_execution=steps_per_execution),
        lambda model: train(model, callbacks=[callback()]),
    )


@pytest.mark.parametrize(
    ("steps_per_execution", "validation"),
    [(None, (X, Y)), (1, dataset()), (4, (X, Y)), (5, dataset())],
)
def test_numbers_of_batches(steps_per_execution, validation):
    given = (
        {}
        if steps_per_execution is None
        else {"steps_per_execution": steps_per_execution}
    )

    def act(model):
        seen = Recorder()
        train(model, callbacks=[seen], validation_data=validation)
        return seen.begun, seen.ended, seen.losses, seen.tested, seen.steps

    compare(lambda cls: build(cls, **given), act)


def test_callbacks_that_act_on_epochs():
    def act(model):
        return train(
            model,
            epochs=6,
            validation_data=(X, Y),
            callbacks=[
                keras.callbacks.ReduceLROnPlateau(patience=1, min_delta=1.0),
                keras.callbacks.EarlyStopping(patience=3, min_delta=1.0),
                keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.9),
            ],
        )

    compare(build, act)


@pytest.mark.parametrize("labels", [Y > 0, (Y > 0).astype("float64")[:, None], Y])
def test_class_weights(labels):
    compare(
        lambda cls: build(cls, metrics=[]),
        lambda model: train(model, X, labels, class_weight={0: 0.2, 1: 3.0}),
    )


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"class_weight": {0: 1.0}, "sample_weight": np.ones(len(X))}, ValueError),
        ({"y": Y[:5]}, ValueError),
        ({"y": None}, ValueError),
        ({"validation_split": 0.999}, ValueError),
        ({"x": X.astype(str)}, Exception),
        (
            {
                "x": dataset(),
                "y": None,
                "class_weight": {0: 1.0},
                "shuffle": False,
            },
            tf.errors.OpError,
        ),
        ({"x": X[:, :2]}, ValueError),
        ({"validation_data": (X, Y), "validation_freq": "x"}, ValueError),
    ],
)
def test_errors_of_arguments(options, error):
    for cls in (keras.Model, Fast):
        with pytest.raises(error):
            build(cls).fit(**{"x": X, "y": Y, "verbose": 0, **options})


def two_outputs(cls, **options):
    keras.utils.set_random_seed(0)
    x = keras.Input((FEATURES,))
    outputs = {"p": keras.layers.Dense(1)(x), "q": keras.layers.Dense(2)(x)}
    model = cls(x, outputs)
    model.compile("sgd", loss={"p": "mse", "q": "mae"}, **options)
    return model


@pytest.mark.parametrize("weight", [None, np.linspace(0, 1, 40)])
def test_dict_targets(weight):
    y = {"p": X[:40, :1], "q": X[:40, 1:3]}
    compare(
        two_outputs,
        lambda model: train(
            model, X[:40], y, sample_weight=weight, validation_data=(X[:40], y)
        ),
    )


def test_dict_targets_have_no_class_weights():
    y = {"p": X[:40, :1], "q": X[:40, 1:3]}
    for cls in (keras.Model, Fast):
        with pytest.raises(ValueError, match="single output"):
            two_outputs(cls).fit(X[:40], y, class_weight={0: 1.0}, verbose=0)


def test_mixed_precision():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        losses = [
            train(build(cls, [lambda: keras.layers.Dense(4)]))
            for cls in (keras.Model, Fast)
        ]
    finally:
        keras.config.set_dtype_policy(policy)
    np.testing.assert_allclose(losses[1], losses[0], rtol=0.02)


def test_settings_survive_saving(tmp_path):
    for given in ({}, {"steps_per_execution": 1}, {"jit_compile": False}):
        model = build(Fast, **given)
        train(model, epochs=1)
        model.save(tmp_path / "model.keras")
        again = keras.saving.load_model(tmp_path / "model.keras", {"Fast": Fast})
        assert dict(again._explicit) == given
        np.random.seed(0)
        losses = train(again, epochs=1)
        np.random.seed(0)
        assert train(model, epochs=1) == losses


@pytest.mark.filterwarnings("ignore:Even though the")
def test_functions_that_run_eagerly():
    tf.config.run_functions_eagerly(True)
    try:
        seen = []
        model = build(Fast, metrics=None)

        def step(data):
            seen.append(tf.executing_eagerly())
            return {"seen": tf.constant(0.0)}

        model.train_step = step
        model.fit(X, Y, batch_size=21, verbose=0)
    finally:
        tf.config.run_functions_eagerly(False)
    assert seen == [True, True]


class Counted:
    """Methods of a model's own class, which count the batches."""

    calls = 0

    def make_train_function(self, force=False):
        def run(iterator):
            x, _ = next(iterator)
            self.calls += len(x)
            return {"loss": tf.constant(0.0)}

        self.train_function = run
        return run


class Scaled:
    """A `fit` of a model's own class."""

    def fit(self, x, y, scale, **options):
        return super().fit(scale * x, y, **options)


class Renamed:
    """An `evaluate` of a model's own class, which wants arrays."""

    def evaluate(self, x, y, **options):
        assert x.shape == X.shape
        return {"twice": 2 * super().evaluate(x, y, **options)["loss"]}


def test_methods_of_the_own_class():
    for bases in ((FastFit, Counted, keras.Model), (Counted, FastFit, keras.Model)):
        model = build(type("Own", bases, {}), metrics=None)
        model.fit(X, Y, verbose=0, epochs=2)
        assert model.calls == 2 * len(X)

    class Own(Scaled, keras.Model):
        pass

    compare(
        lambda cls: build(Own if cls is keras.Model else type("F", (FastFit, Own), {})),
        lambda model: train(model, scale=2.0),
    )

    class Evaluated(Renamed, keras.Model):
        pass

    compare(
        lambda cls: build(
            Evaluated if cls is keras.Model else type("F", (FastFit, Evaluated), {})
        ),
        lambda model: train(model, validation_data=(X, Y)),
    )


@pytest.mark.parametrize(
    ("options", "count"), [({"epochs": 25}, 3), ({"epochs": 10}, 10)]
)
def test_lines_without_a_terminal(options, count, capsys):
    build(Fast).fit(X, Y, **options)
    printed = capsys.readouterr().out
    assert printed.count("Epoch") == count
    assert f"Epoch {options['epochs']}/{options['epochs']}" in printed
    assert printed.count("loss") >= count


def test_the_last_line_of_a_training_that_stops(capsys):
    stop = keras.callbacks.EarlyStopping(monitor="loss", patience=2, min_delta=100.0)
    build(Fast).fit(X, Y, epochs=50, callbacks=stop)
    assert "Epoch 3/50" in capsys.readouterr().out


def test_no_retracing_warnings(caplog):
    for _ in range(7):
        model = build(Fast)
        train(model, epochs=1, validation_data=(X, Y))
        train(model, epochs=1)
    assert "retracing" not in caplog.text


def test_limits_for_debugging():
    if not hasattr(keras.config, "set_max_steps_per_epoch"):
        pytest.skip("Keras has none")
    keras.config.set_max_steps_per_epoch(2)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compare(build, train)
    finally:
        keras.config.set_max_steps_per_epoch(None)
