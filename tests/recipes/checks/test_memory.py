"""What memory is available, as the system's files tell it."""

import math

import pytest

from recipes.checks import memory
from recipes.errors import InputError

GIB = 1 << 30


def system(folder, files):
    """A folder that stands for the root of a system with these files."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


MEMINFO = f"MemTotal: 9 kB\nMemAvailable:   {4 * GIB >> 10} kB\n"
LIMITS = (
    "Limit                     Soft Limit           Hard Limit           Units\n"
    "Max data size             {data}               unlimited            bytes\n"
    "Max address space         {space}              unlimited            bytes\n"
)
STATUS = f"Name:\tpython\nVmSize:\t {GIB >> 10} kB\nVmData:\t {GIB >> 11} kB\n"
UNLIMITED = LIMITS.format(data="unlimited", space="unlimited")

SYSTEMS = {
    "nothing tells": ({}, math.inf),
    "the machine": ({"proc/meminfo": MEMINFO, "proc/self/limits": UNLIMITED}, 4 * GIB),
    "swap": (
        {"proc/meminfo": MEMINFO + f"SwapFree: {2 * GIB >> 10} kB\n"},
        6 * GIB,
    ),
    "ulimit -v": (
        {
            "proc/meminfo": MEMINFO,
            "proc/self/limits": LIMITS.format(data="unlimited", space=3 * GIB),
            "proc/self/status": STATUS,
        },
        2 * GIB,
    ),
    "ulimit -d": (
        {
            "proc/self/limits": LIMITS.format(data=2 * GIB, space=3 * GIB),
            "proc/self/status": STATUS,
        },
        2 * GIB - GIB // 2,
    ),
    "more used than allowed": (
        {
            "proc/self/limits": LIMITS.format(data=1000, space=1000),
            "proc/self/status": STATUS,
        },
        0,
    ),
    "a control group, version 2": (
        {
            "proc/meminfo": MEMINFO,
            "proc/self/cgroup": "0::/user/job\n",
            "sys/fs/cgroup/user/job/memory.max": f"{2 * GIB}\n",
            "sys/fs/cgroup/user/job/memory.current": f"{GIB}\n",
        },
        GIB,
    ),
    "the cache of files is given back": (
        {
            "proc/self/cgroup": "0::/job\n",
            "sys/fs/cgroup/job/memory.max": f"{2 * GIB}\n",
            "sys/fs/cgroup/job/memory.current": f"{2 * GIB}\n",
            "sys/fs/cgroup/job/memory.stat": f"anon 7\nactive_file {GIB}\n",
        },
        GIB,
    ),
    "a group around the group": (
        {
            "proc/self/cgroup": "0::/user/job\n",
            "sys/fs/cgroup/user/job/memory.max": "max\n",
            "sys/fs/cgroup/user/job/memory.current": "5\n",
            "sys/fs/cgroup/user/memory.max": f"{3 * GIB}\n",
            "sys/fs/cgroup/user/memory.current": f"{GIB}\n",
        },
        2 * GIB,
    ),
    "a container that sees its group as the root": (
        {
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/memory.max": f"{3 * GIB}\n",
            "sys/fs/cgroup/memory.current": f"{GIB}\n",
        },
        2 * GIB,
    ),
    "a control group, version 1": (
        {
            "proc/self/cgroup": "5:cpu:/\n4:memory:/job\n0::/\n",
            "sys/fs/cgroup/memory/job/memory.limit_in_bytes": f"{3 * GIB}\n",
            "sys/fs/cgroup/memory/job/memory.usage_in_bytes": f"{GIB}\n",
            "sys/fs/cgroup/memory/job/memory.stat": "total_inactive_file 8\n",
        },
        2 * GIB + 8,
    ),
}


@pytest.mark.parametrize(("files", "expected"), SYSTEMS.values(), ids=SYSTEMS)
def test_available_bytes(tmp_path, files, expected):
    assert memory.available_bytes(system(tmp_path, files)) == expected


def test_what_this_machine_has():
    assert memory.available_bytes() > 0
    memory.require(1e6, "a megabyte")


def test_both_numbers_are_said(monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 3.1e9)
    memory.require(3e9, "x")
    with pytest.raises(InputError, match=r"^x would take about 24\.0 GB of memory; 3"):
        memory.require(24e9, "x")


@pytest.mark.parametrize("error", [MemoryError(), MemoryError("2 GiB\nfor x" * 99)])
def test_exhaustion_is_one_line(error):
    with pytest.raises(InputError) as caught, memory.exhaustion_as_input_error():
        raise error
    message = str(caught.value)
    assert message.startswith("out of memory: ")
    assert "\n" not in message and len(message) < 400


def test_other_errors_pass():
    with pytest.raises(ZeroDivisionError), memory.exhaustion_as_input_error():
        1 / 0  # noqa: B018
