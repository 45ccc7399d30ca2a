"""A standard output that cannot be written to: a file on a full disk, or a closed one.

Both programs print one line on standard error then. It imports nothing but the standard library.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys

# write(2); EPIPE is not among them: a reader that has exited is no error. EBADF: it was closed when
# the program started (standard_streams.py).
OF_WRITES = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})
WORDS = {errno.EBADF: "it is closed"}


def is_of_output(error: OSError) -> bool:
    """Return whether a write to an open file failed, which is standard output."""
    return error.errno in OF_WRITES and error.filename is None


def report_output_error(error: OSError, program: str) -> None:
    """Print why the output could not be written; raise the error if it is another one."""
    if not is_of_output(error):
        raise error
    why = WORDS.get(error.errno or 0) or os.strerror(error.errno or 0)
    line = f"{program}: cannot write the output: {why}\n"
    with contextlib.suppress(OSError):  # it may be on the same disk
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, line.encode())
