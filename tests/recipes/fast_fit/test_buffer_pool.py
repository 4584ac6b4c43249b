"""Buffers are reused, but never while an array refers to them."""

import gc

import numpy as np
import pytest
import tensorflow as tf

from recipes.fast_fit.buffer_pool import ALIGNMENT, BufferPool
from recipes.fast_fit.feed import RowFeed


def address(array):
    return array.__array_interface__["data"][0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.int64])
def test_array_is_as_requested_and_aligned(dtype):
    array = BufferPool().allocate((3, 5), np.dtype(dtype))
    array[:] = 7
    assert type(array) is np.ndarray
    assert (array.shape, array.dtype) == ((3, 5), np.dtype(dtype))
    assert address(array) % ALIGNMENT == 0
    assert array.tolist() == [[7] * 5] * 3


def test_memory_is_reused_when_its_array_is_gone():
    pool = BufferPool()
    first = pool.allocate((100,), np.dtype(np.float32))
    where = address(first)
    del first
    assert address(pool.allocate((50,), np.dtype(np.float64))) == where


@pytest.mark.parametrize(
    "hold",
    [
        lambda array: array,
        lambda array: array.reshape(10, 10),
        lambda array: array[3:][::2],
        lambda array: np.asarray(memoryview(array)),
        lambda array: np.asarray(tf.constant(array)),
    ],
)
def test_memory_is_not_reused_while_a_view_is_held(hold):
    pool = BufferPool()
    array = pool.allocate((100,), np.dtype(np.float32))
    array[:] = np.arange(100)
    held = hold(array)
    kept = held.copy()
    del array
    gc.collect()
    pool.allocate((100,), np.dtype(np.float32))[:] = -1
    np.testing.assert_array_equal(held, kept)


def test_chunks_that_are_held_keep_their_rows():
    x = np.arange(60_000, dtype=np.float32).reshape(3000, 20)
    feed = RowFeed((x, np.arange(3000)), batch_size=50, shuffle_seed=1)
    held = list(feed.as_chunks(10).take(4 * 6))
    for epoch in range(4):
        chunks = held[6 * epoch : 6 * epoch + 6]
        order = np.random.default_rng((1, epoch)).permutation(3000)
        rows = np.concatenate([np.reshape(each.batches[1], -1) for each in chunks])
        np.testing.assert_array_equal(rows, order)
        values = np.concatenate(
            [np.reshape(each.batches[0], (-1, 20)) for each in chunks]
        )
        np.testing.assert_array_equal(values, x[order])


def test_epochs_after_the_first_need_no_new_memory(monkeypatch):
    made = []
    real = np.empty
    monkeypatch.setattr(
        "recipes.fast_fit.buffer_pool.np.empty",
        lambda *arguments: made.append(arguments) or real(*arguments),
    )
    feed = RowFeed((np.zeros((4000, 20), np.float32),), batch_size=50)
    for _ in feed.as_chunks(4).take(3 * feed.count_chunks(4)):
        pass
    assert 1 <= len(made) <= 8
