"""The batches of `fit`: from arrays in a seeded order, and from data sets."""

import numpy as np
import pytest
import tensorflow as tf

from recipes.fast_fit import feed
from tests.recipes.fast_fit.small_models import (
    BATCH,
    X,
    Y,
    assert_equal,
    dataset,
    fit_both_ways,
    network,
)

pytestmark = pytest.mark.usefixtures("chunks_of_four")


def all_of_them(x, y):
    return True


def test_arrays_in_the_same_order():
    def fit(model):
        np.random.seed(4)
        return model.fit(X, Y, batch_size=BATCH, epochs=3, verbose=0)

    fast, _, _ = fit_both_ways(network, fit)
    again = network(True)
    fit(again)
    for one, other in zip(fast.weights, again.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    again.fit(X, Y, batch_size=BATCH, verbose=0, shuffle=False)


def test_order_depends_on_seed_and_epoch_alone():
    whole, parts = network(True), network(True)
    whole.shuffle_seed = parts.shuffle_seed = 5
    whole.fit(X, Y, epochs=3, verbose=0)
    parts.fit(X, Y, epochs=1, verbose=0)
    np.random.seed(99)
    parts.fit(X, Y, initial_epoch=1, epochs=3, verbose=0)
    for one, other in zip(whole.weights, parts.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_every_row_comes_once_an_epoch():
    rows_feed = feed.RowFeed((X, Y), BATCH, shuffle_seed=0)
    orders = []
    for epoch in range(2):
        rows_feed.epoch = epoch
        batches = rows_feed.as_batches().take(rows_feed.steps)
        taken = np.concatenate([x for x, _ in batches])
        orders.append(taken)
        assert sorted(map(tuple, taken)) == sorted(map(tuple, X))
        chunks = rows_feed.as_chunks(4).take(rows_feed.count_chunks(4))
        chunked = [
            batch[:rows]
            for chunk in chunks
            for batch, (rows, _) in zip(chunk.batches[0], chunk.sizes, strict=True)
        ]
        np.testing.assert_array_equal(np.concatenate(chunked), taken)
    assert (orders[0] != orders[1]).any()


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_data_set_of_unknown_length():
    known, unknown = network(True), network(True)
    known.fit(dataset(), epochs=2, verbose=0)
    unknown.fit(dataset().filter(all_of_them), epochs=2, verbose=0)
    assert_equal(unknown, known)


def test_batches_of_many_sizes():
    sizes = np.array([8, 8, 3, 8, 8, 8, 1, 2, 8])
    ends = np.cumsum(sizes)

    def batches():
        for size, end in zip(sizes, ends, strict=True):
            yield (
                np.resize(X, (60, 5))[end - size : end],
                np.resize(Y, 60)[end - size : end],
            )

    signature = tf.TensorSpec([None, 5], tf.float32), tf.TensorSpec([None], tf.int32)
    data = tf.data.Dataset.from_generator(batches, output_signature=signature)
    data = data.apply(tf.data.experimental.assert_cardinality(len(sizes)))
    fit_both_ways(network, lambda m: m.fit(data, epochs=2, verbose=0))
