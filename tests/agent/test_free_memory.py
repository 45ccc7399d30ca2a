"""The agent returns memory that it holds free to the system, once a minute."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from ldaphealth.agent.free_memory import EVERY_SECONDS, FreeMemory
from ldaphealth.clocks import BootSeconds

PROGRAM = """
import os, sys
from pathlib import Path
from ldaphealth.agent.free_memory import FreeMemory
from ldaphealth.clocks import BootSeconds

def resident_mib():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

memory = FreeMemory(BootSeconds(0.0))
blocks = [bytes(2000) for _ in range(30_000)]  # 57 MiB, larger than what Python's allocator pools
kept = blocks[::500]
del blocks
before = resident_mib()
memory.return_if_due(BootSeconds(60.0))
print(before - resident_mib())
"""

# malloc_info(3) has an element `heap` for each arena.
ARENAS = """
import ctypes, sys, threading
from ldaphealth.agent.free_memory import use_one_arena

if sys.argv[1] == "one":
    use_one_arena()
together = threading.Barrier(8)
def allocate():
    kept = bytes(5000)
    together.wait()
threads = [threading.Thread(target=allocate) for _ in range(8)]
for each in threads:
    each.start()
for each in threads:
    each.join()
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, out)
libc.fclose(out)
"""
of_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is of glibc")


def test_once_a_minute() -> None:
    calls: list[float] = []
    at = 100.0
    memory = FreeMemory(BootSeconds(at), trim=lambda: calls.append(at))
    for at in (100.0, 159.9, 160.0, 160.1, 219.9, 300.0, 359.9, 360.0):
        memory.return_if_due(BootSeconds(at))
    assert calls == [160.0, 300.0, 360.0]
    assert EVERY_SECONDS == 60.0


@of_glibc
def test_the_pages_between_objects_that_live_are_returned() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) > 30.0
