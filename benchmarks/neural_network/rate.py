"""Prints the operations per second of TensorFlow's product of two large matrices."""

import json
import os
import statistics
import time

SIZE, TIMES = 2048, 20

if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    factor = tf.random.stateless_uniform((SIZE, SIZE), (0, 0))
    seconds = []
    for _ in range(TIMES):
        begin = time.perf_counter()
        tf.linalg.matmul(factor, factor)[0, 0].numpy()
        seconds.append(time.perf_counter() - begin)
    print(json.dumps({"rate": 2 * SIZE**3 / statistics.median(seconds)}))
