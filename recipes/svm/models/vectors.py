"""Support vectors in the layer that holds them: dense rows, or sparse ones."""

from typing import Any

import numpy as np
import scipy.sparse

from layers import KernelExpansion
from recipes.svm.solver.rows import Rows


def count_nonzeros(vectors: Rows) -> int | None:
    """Return the layer's `nonzeros`; `None` for dense vectors."""
    # A weight cannot be empty.
    return max(1, vectors.nnz) if scipy.sparse.issparse(vectors) else None


def write_vectors(expansion: KernelExpansion, vectors: Rows) -> None:
    """Assign support vectors, `[m, d]`, to a layer with room for them."""
    if not scipy.sparse.issparse(vectors):
        expansion.support_vectors.assign(vectors)
    elif vectors.nnz:
        entries = vectors.tocoo()
        expansion.support_vectors.assign(entries.data)
        expansion.vector_positions.assign(np.stack([entries.row, entries.col], axis=1))


def read_vectors(expansion: KernelExpansion) -> Any:
    """Return the support vectors, `[m, d]`: an array or a `csr_array`."""
    values = expansion.support_vectors.numpy()
    if expansion.nonzeros is None:
        return values
    shape = (expansion.num_vectors, expansion.input_spec.axes[-1])
    positions = tuple(expansion.vector_positions.numpy().T)
    return scipy.sparse.csr_array((values, positions), shape=shape)
