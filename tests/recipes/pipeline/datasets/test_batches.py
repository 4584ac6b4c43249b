"""Rows as a tf.data.Dataset."""

import keras
import numpy as np
import pytest
import scipy.sparse

from recipes.pipeline.datasets.batches import make_batches
from tests.recipes.pipeline.datasets.loading import loaded


def gathered(dataset):
    parts = [(x.numpy(), y.numpy()) for x, y in dataset]
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


@pytest.mark.parametrize("sparse", [False, True])
def test_batches(sparse):
    x = np.arange(40, dtype=np.float32).reshape(10, 4)
    y = np.arange(10.0)
    source = scipy.sparse.csr_array(x) if sparse else x
    dataset = make_batches(source, y, 4, None)
    assert len(dataset) == 3
    assert [len(part) for part, _ in dataset] == [4, 4, 2]
    assert dataset.element_spec[0].shape.as_list() == [None, 4]
    assert dataset.element_spec[1].shape.as_list() == [None, 1]
    ours_x, ours_y = gathered(dataset)
    np.testing.assert_array_equal(ours_x, x)
    np.testing.assert_array_equal(ours_y, y[:, None])
    assert ours_y.dtype == np.float64


@pytest.mark.parametrize("sparse", [False, True])
def test_shuffled_batches_are_all_rows_in_a_new_order_each_epoch(sparse):
    x = np.arange(100, dtype=np.float32)[:, None] + [[0, 0.5]]
    x = x.astype(np.float32)
    y = np.arange(100, dtype=np.int64)
    source = scipy.sparse.csr_array(x) if sparse else x

    def epochs(seed):
        dataset = make_batches(source, y, 32, seed)
        assert len(dataset) == 4
        return [gathered(dataset) for _ in range(3)]

    first, again, other = epochs(5), epochs(5), epochs(6)
    for (x_a, y_a), (x_b, _) in zip(first, again, strict=True):
        np.testing.assert_array_equal(np.sort(y_a[:, 0]), y)
        np.testing.assert_array_equal(x_a[:, 0], y_a[:, 0])
        np.testing.assert_array_equal(x_a, x_b)
    assert not np.array_equal(first[0][0], first[1][0])
    assert not np.array_equal(first[0][0], other[0][0])
    assert not np.array_equal(first[0][1][:, 0], y)


def test_datasets_train_a_keras_model():
    data = loaded("iris")
    model = keras.Sequential([keras.layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss)
    fitted = model.fit(
        data.train_dataset(50, shuffle_seed=1), epochs=2, shuffle=False, verbose=0
    )
    assert len(fitted.history["loss"]) == 2
    assert model.predict(data.test_dataset(7), verbose=0).shape == (30, 3)
