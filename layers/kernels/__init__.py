"""Kernels k(x, z): inner products in a space that need not be written down.

Their names are `"linear"`, `"polynomial"` (or `"poly"`), `"rbf"`, `"sigmoid"`,
`"laplacian"` and `"precomputed"`. To add a kernel, decorate its class by `named` and
import it here.
"""

from layers.kernels.arguments import resolve_gamma
from layers.kernels.base import InnerProductKernel, Kernel
from layers.kernels.function import CallableKernel
from layers.kernels.identifiers import deserialize, get, serialize
from layers.kernels.inner_products import (
    LinearKernel,
    PolynomialKernel,
    RBFKernel,
    SigmoidKernel,
)
from layers.kernels.laplacian import LaplacianKernel
from layers.kernels.precomputed import PrecomputedKernel

__all__ = [
    "CallableKernel",
    "InnerProductKernel",
    "Kernel",
    "LaplacianKernel",
    "LinearKernel",
    "PolynomialKernel",
    "PrecomputedKernel",
    "RBFKernel",
    "SigmoidKernel",
    "deserialize",
    "get",
    "resolve_gamma",
    "serialize",
]
