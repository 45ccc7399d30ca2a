"""Columns of numbers as bytes that deflate well. Pure."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from itertools import repeat

HALF = 0x80  # of the last bit that is kept of a binary32: 16 bits of the number are


def rounded_bytes(numbers: Sequence[float]) -> bytes:
    """Return the upper three bytes of each as a binary32 (IEEE 754), rounded: first bytes last."""
    count = len(numbers)
    words = struct.unpack(f"<{count}I", struct.pack(f"<{count}f", *numbers))
    whole = struct.pack(f"<{count}I", *(word + HALF for word in words))
    return b"".join(whole[each::4] for each in range(1, 4))


def rounded_numbers(blob: bytes) -> tuple[float, ...]:
    """Return what `rounded_bytes` was given, wrong by 2 in 100,000 at most; struct.error."""
    count = len(blob) // 3
    planes = (blob[each * count : (each + 1) * count] for each in range(3))
    whole = bytes(byte for word in zip(repeat(0), *planes, strict=False) for byte in word)
    return struct.unpack(f"<{count}f", whole)


def inflated(blob: bytes) -> bytes:
    """Return what zlib deflated; ValueError."""
    try:
        return zlib.decompress(blob)
    except zlib.error as error:
        raise ValueError(str(error)) from error
