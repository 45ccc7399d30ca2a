"""Keep the memory of this process, which contains passwords and keys, from other processes.

Both programs call `keep_memory_private` before they do anything else.
"""

from __future__ import annotations

import ctypes
import resource

PR_SET_DUMPABLE = 4  # linux/prctl.h


def keep_memory_private() -> None:
    """Make this process not dumpable (PR_SET_DUMPABLE(2const)), and forbid core files (core(5)).

    Only root can read its memory then, or attach a debugger (ptrace(2)): other processes of its
    user cannot. Its files in /proc/PID belong to root. Programs that it starts are not affected,
    except that they leave no core file either.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
