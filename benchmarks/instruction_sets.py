"""The instruction sets that programs are measured with, as environments of processes.

A library chooses its code for the processor when it is loaded. On a processor with
AVX-512 most of them can be told to use no more than AVX2, so that one machine measures
both kinds. Three cannot: TensorFlow's elementwise operations (Eigen) and LIBSVM, which
are compiled for one kind, and the loops of oneDAL outside its matrix products. With
these forced to AVX2 by replacing its check of the processor, oneDAL's SVM took 0.84 to
1.15 s where it had taken 0.82 to 1.09 s, and 18 % more in one case.
"""

import os
import platform
from pathlib import Path

AVX2 = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # matrix products of TensorFlow and PyTorch
    # XLA's own code; and no YNNPACK, which would multiply matrices in AVX-512.
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX2 --xla_cpu_experimental_ynn_fusion_type=",
    "OPENBLAS_CORETYPE": "Haswell",  # matrix products of NumPy and SciPy
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",  # matrix products of oneDAL, PyTorch
    "ATEN_CPU_CAPABILITY": "avx2",  # PyTorch
}


def environments() -> dict[str, dict[str, str]]:
    """Return the environment for each instruction set, the machine's own first."""
    own = {name: os.environ[name] for name in os.environ.keys() - AVX2.keys()}
    own["TF_CPP_MIN_LOG_LEVEL"] = "3"  # no warnings among the figures
    cpuinfo = Path("/proc/cpuinfo")
    features = cpuinfo.read_text().split() if cpuinfo.exists() else []
    if "avx512f" in features:
        return {"AVX-512": own, "AVX2": {**own, **AVX2}}
    return {"AVX2" if "avx2" in features else platform.machine(): own}
