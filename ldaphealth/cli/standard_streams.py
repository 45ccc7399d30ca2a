"""Standard streams that the caller closed, such as a daemon or `>&-` of a shell.

Python has None in place of such a stream, and the next file that is opened would get its number.
Both programs call this first. It imports nothing but the standard library.
"""

from __future__ import annotations

import os
import sys

# Input is empty, and messages go nowhere. What is written to standard output is a result, and must
# not vanish: writing fails with EBADF, as in other programs, and output_error.py reports it.
OPENED_AS = (
    ("stdin", "r", os.O_RDONLY),
    ("stdout", "w", os.O_RDONLY),
    ("stderr", "w", os.O_WRONLY),
)


def replace_closed_streams() -> None:
    """Open /dev/null in place of each standard stream that is closed."""
    for number, (name, mode, flags) in enumerate(OPENED_AS):
        if getattr(sys, name) is not None:
            continue
        opened = os.open(os.devnull, flags)
        if opened != number:
            os.dup2(opened, number)
            os.close(opened)
        stream = open(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
