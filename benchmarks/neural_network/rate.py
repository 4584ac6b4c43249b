"""The operations per second of TensorFlow's product of two large matrices."""

from benchmarks.measure import median_after_first, timed

SIZE, TIMES = 2048, 20


def measure() -> float:
    """Return the operations per second."""
    import tensorflow as tf

    factor = tf.random.stateless_uniform((SIZE, SIZE), (0, 0))
    seconds = [
        timed(lambda: tf.linalg.matmul(factor, factor)[0, 0].numpy())
        for _ in range(TIMES + 1)
    ]
    return 2 * SIZE**3 / median_after_first(seconds)
