"""`python -m tests.faults.without_internet MODULE …`: `python -m MODULE …` offline.

The kernel kills the process (SIGSYS) at its first internet socket, whichever language
asks for it, TCP or UDP, to listen or to connect. Needs no privilege.
"""

import ctypes
import platform
import runpy
import socket
import struct
import sys

import urllib3  # noqa: F401  its import asks for an IPv6 socket, to see if there are any

# From linux/filter.h, linux/seccomp.h, linux/prctl.h.
LOAD, IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, KILL_PROCESS = 0x7FFF0000, 0x80000000
SYSTEM_CALL, FIRST_ARGUMENT = 0, 16
NO_NEW_PRIVILEGES, SET_SECCOMP, FILTER = 38, 22, 2
# The number of `socket`.
SOCKET = {"x86_64": 41, "aarch64": 198}


def forbid_internet_sockets() -> None:
    """Install a filter of system calls, for this process and its children."""
    program = [  # (operation, skip if equal, skip otherwise, operand)
        (LOAD, 0, 0, SYSTEM_CALL),
        (IF_EQUAL, 0, 3, SOCKET[platform.machine()]),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (IF_EQUAL, 2, 0, socket.AF_INET),
        (IF_EQUAL, 1, 0, socket.AF_INET6),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, KILL_PROCESS),
    ]
    code = ctypes.create_string_buffer(
        b"".join(struct.pack("HBBI", *instruction) for instruction in program)
    )
    described = struct.pack("HP", len(program), ctypes.addressof(code))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    for words in ((NO_NEW_PRIVILEGES, 1, 0, 0, 0), (SET_SECCOMP, FILTER, described)):
        if prctl(*words):
            raise OSError(ctypes.get_errno(), "the kernel accepts no filter")


if __name__ == "__main__":
    forbid_internet_sockets()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
