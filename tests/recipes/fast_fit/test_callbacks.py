"""Callbacks and steps, counted in batches."""

import keras
import numpy as np
import pytest

from recipes.fast_fit.obstacles import acts_on_batches
from tests.recipes.fast_fit.small_models import (
    BATCH,
    Recorder,
    X,
    Y,
    dataset,
    fit_both_ways,
    network,
)

pytestmark = pytest.mark.usefixtures("chunks_of_four")


class ChunkRecorder(Recorder):
    takes_chunks = True


def test_callbacks_that_take_chunks_are_called_once_per_chunk():
    recorder = ChunkRecorder()
    model = network(True)
    model.fit(
        dataset(), epochs=2, verbose=0, callbacks=recorder, validation_data=(X, Y)
    )
    assert recorder.begun == [0, 4] * 2
    assert recorder.ended == [3, 5] * 2
    assert recorder.steps == 6
    assert recorder.tested == [(0, 1)] * 2
    plain, plain_recorder = network(False), Recorder()
    plain.fit(dataset(), epochs=2, verbose=0, callbacks=[plain_recorder])
    expected = [plain_recorder.losses[step] for step in (3, 5, 9, 11)]
    np.testing.assert_allclose(recorder.losses, expected, rtol=1e-5)


def test_progress_bar_counts_batches(capsys):
    network(True).fit(X, Y, batch_size=BATCH)
    assert "6/6" in capsys.readouterr().out


def test_steps_per_execution_sets_the_chunk():
    recorder = Recorder()
    model = network(True, steps_per_execution=3)
    model.fit(X, Y, batch_size=BATCH, epochs=1, verbose=0, callbacks=[recorder])
    assert recorder.ended == [2, 5]
    assert model.steps_per_execution == 3


def test_steps_per_epoch():
    recorder = ChunkRecorder()
    data = dataset(drop_remainder=True).repeat()
    fit_both_ways(
        network,
        lambda m: m.fit(
            data, steps_per_epoch=6, epochs=2, verbose=0, callbacks=[recorder]
        ),
    )
    fast = network(True)
    fast.fit(data, steps_per_epoch=6, epochs=2, verbose=0, callbacks=[recorder])
    assert recorder.ended == [3, 5] * 2
    assert recorder.steps == 6


def test_learning_rate_that_a_callback_changes():
    def rate(epoch, _):
        return 0.1 / (epoch + 1)

    callbacks = [keras.callbacks.LearningRateScheduler(rate)]
    fast, _, _ = fit_both_ways(
        network, lambda m: m.fit(dataset(), epochs=3, verbose=0, callbacks=callbacks)
    )
    assert float(fast.optimizer.learning_rate) == pytest.approx(0.1 / 3)


class Stop(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        self.model.stop_training = True


def test_stops_after_a_chunk():
    model = network(True, steps_per_execution=4)
    model.fit(dataset(), epochs=5, verbose=0, callbacks=[Stop()])
    assert int(model.optimizer.iterations) == 4


def test_a_callback_that_acts_on_batches_is_named():
    model = network(True)
    with pytest.warns(UserWarning, match="the callback Stop acts on each batch"):
        model.fit(dataset(), epochs=5, verbose=0, callbacks=[Stop()])
    assert int(model.optimizer.iterations) == 1


@pytest.mark.parametrize(
    ("callback", "acts"),
    [
        (keras.callbacks.EarlyStopping(), False),
        (keras.callbacks.ProgbarLogger(), False),
        (keras.callbacks.TensorBoard(), False),
        (keras.callbacks.TensorBoard(update_freq=10), True),
        (keras.callbacks.ModelCheckpoint("model.keras"), False),
        (keras.callbacks.ModelCheckpoint("model.keras", save_freq=3), True),
        (keras.callbacks.TerminateOnNaN(), True),
        (keras.callbacks.LambdaCallback(on_epoch_end=print), False),
        (keras.callbacks.LambdaCallback(on_train_batch_end=print), True),
        (Recorder(), True),
        (ChunkRecorder(), False),
    ],
)
def test_callbacks_that_act_on_batches(callback, acts):
    assert acts_on_batches(callback) is acts
