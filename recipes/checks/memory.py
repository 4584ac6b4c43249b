"""How much memory is available, checked before much of it is taken.

Linux grants more memory than there is, and ends the process that uses it without a
word; C++ ends the process that is refused it. So sizes that are known are compared
first.
"""

import contextlib
import math
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from recipes.errors import InputError, shorten

_ROOT = Path("/")
_UNCHECKED = 16 << 20  # bytes; to read what is available takes milliseconds
# Of a control group's memory, what the kernel gives back when it is needed.
_RECLAIMABLE = ("inactive_file", "active_file", "slab_reclaimable")
_V1_RECLAIMABLE = ("total_inactive_file", "total_active_file")


def require(needed: float, what: str) -> None:
    """Check that so many bytes are available.

    Args:
        needed: Number of bytes.
        what: What would take them, for the message: "x.npz: 10 × 3 numbers".

    Raises:
        InputError: They are not.
    """
    had = available_bytes() if needed > _UNCHECKED else math.inf
    if needed > had:
        raise InputError(
            f"{what} would take about {format_bytes(needed)} of memory; "
            f"{format_bytes(had)} are available"
        )


def require_limits(address_space: float, data: float, what: str) -> None:
    """Check that the process's own limits, `ulimit -v` and `-d`, leave so many bytes.

    Args:
        address_space: Bytes of address space, used or not.
        data: Bytes of memory that is written to.
        what: What needs them, for the message.

    Raises:
        InputError: They do not.
    """
    left = _read_limits(_ROOT)
    for option, needed in (("-v", address_space), ("-d", data)):
        if needed > left[option]:
            raise InputError(
                f"{what} needs about {format_bytes(needed)} to start; ulimit {option} "
                f"leaves {format_bytes(left[option])}"
            )


def available_bytes(root: Path = _ROOT) -> float:
    """Return how many bytes this process can still take; infinity if nothing tells.

    That is the least of what the machine has, of what the process's control groups
    leave, and of what its own limits leave.

    Args:
        root: The folder that has `proc` and `sys`.
    """
    limits = _read_limits(root).values()
    return max(0, min(*limits, *_read_machine(root), *_read_control_groups(root)))


def format_bytes(count: float) -> str:
    """Write a number of bytes as 24.0 GB or 1.5 MB."""
    if count >= 1e9:
        return f"{count / 1e9:,.1f} GB"
    return f"{count / 1e6:,.1f} MB"


@contextlib.contextmanager
def exhaustion_as_input_error() -> Iterator[None]:
    """Report that the memory ran out, where nobody knew the size before.

    Raises:
        InputError: The block raises Python's, NumPy's, Arrow's or TensorFlow's error.
    """
    try:
        yield
    except Exception as error:
        # By name, as TensorFlow may not be imported.
        of_tensorflow = type(error).__name__ == "ResourceExhaustedError"
        if not isinstance(error, MemoryError) and not of_tensorflow:
            raise
        words = shorten(" ".join(str(error).split()) or "an object is too large", 200)
        advice = "take fewer rows or columns, or smaller settings"
        notes = getattr(error, "__notes__", ())  # what is kept of the run
        raise InputError(
            "; ".join((f"out of memory: {words}", advice, *notes))
        ) from error


def _read_machine(root: Path) -> Iterator[float]:
    """Yield the memory that programs can take without ending others, and the swap."""
    known = _read_sizes(root / "proc/meminfo", r"^(\w+): +(\d+) kB")
    if "MemAvailable" in known:
        yield 1024 * (known["MemAvailable"] + known.get("SwapFree", 0))


def _read_limits(root: Path) -> dict[str, float]:
    """Return what the process's own limits leave, by the option of `ulimit`."""
    limits = _read_sizes(root / "proc/self/limits", r"^Max ([a-z ]+?) +(\d+)")
    used = _read_sizes(root / "proc/self/status", r"^(\w+):\s+(\d+) kB")
    return {
        option: limits.get(limit, math.inf) - 1024 * used.get(field, 0)
        for option, limit, field in (
            ("-v", "address space", "VmSize"),
            ("-d", "data size", "VmData"),
        )
    }


def _read_control_groups(root: Path) -> Iterator[float]:
    """Yield what the limit of each control group leaves, from the innermost on."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        groups = (PurePosixPath(path), *PurePosixPath(path).parents)
        for group in (str(each).lstrip("/") for each in groups):
            if not controllers:
                yield from _read_control_group(
                    root / "sys/fs/cgroup" / group, "max", "current", _RECLAIMABLE
                )
            elif "memory" in controllers.split(","):
                yield from _read_control_group(
                    root / "sys/fs/cgroup/memory" / group,
                    "limit_in_bytes",
                    "usage_in_bytes",
                    _V1_RECLAIMABLE,
                )


def _read_control_group(
    folder: Path, limit: str, usage: str, reclaimable: tuple[str, ...]
) -> Iterator[float]:
    most, used = (_read(folder / f"memory.{name}").strip() for name in (limit, usage))
    if most.isdigit() and used.isdigit():
        known = _read_sizes(folder / "memory.stat", r"^(\w+) (\d+)")
        yield int(most) - int(used) + sum(known.get(name, 0) for name in reclaimable)


def _read_sizes(path: Path, pattern: str) -> dict[str, int]:
    lines = re.findall(pattern, _read(path), re.MULTILINE)
    return {name: int(number) for name, number in lines}


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError:
        return ""
