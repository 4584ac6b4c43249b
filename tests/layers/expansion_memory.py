"""Prints the peak memory of a `KernelExpansion`, in MiB: `KERNEL [gradient]`.

The peak is the one that Linux records (`VmHWM`), so that no moment is missed. For it to
show live tensors only, the process must start with the environment `ALLOCATORS`, by
which freed memory is returned to the system at once.
"""

import re
import sys
from pathlib import Path

ALLOCATORS = {
    "TF_ENABLE_ONEDNN_OPTS": "0",  # with oneDNN, TensorFlow keeps a memory pool
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "65536",
}
VECTORS, ROWS = 12_000, 4_000


def peak():
    """Return the peak of resident memory since it was last reset, in MiB."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+)", status)[1]) / 2**10


def growth(kernel, gradient):
    """Return the peak of one call above the resident memory at its start."""
    import tensorflow as tf

    from layers import KernelExpansion

    layer = KernelExpansion(VECTORS, kernel=kernel, train_vectors=True)
    layer.build((None, 3))
    x = tf.random.stateless_normal((ROWS, 3), (0, 0))

    @tf.function(autograph=False)
    def run(x):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(layer(x, training=gradient))
        if gradient:
            weights = [weight.value for weight in layer.trainable_weights]
            return tape.gradient(total, weights)
        return total

    run(x[:1])
    Path("/proc/self/clear_refs").write_text("5")  # the peak is now what is resident
    before = peak()
    run(x)
    return peak() - before


if __name__ == "__main__":
    print(growth(sys.argv[1], "gradient" in sys.argv))
