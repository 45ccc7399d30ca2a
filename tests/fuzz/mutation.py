"""Inputs made of valid ones: octets changed, removed, repeated and mixed, and pure garbage."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

MOST_BYTES = 20_000
# Octets that mean something to one of the formats: tags and lengths of BER, brackets, signs, NUL.
TELLING = (
    b"\x00\x01\x02\x04\x0a\x1f\x30\x31\x7f\x80\x81\x84\x85\xa0\xa3\xff"
    b"\n\r\t \"'{}[]()<>&*:;,.-+#%0_9aez"
)
PIECES = (
    b"\x02\x04\x7f\xff\xff\xff",
    b"\x30\x80" * 50,
    b"\x84\xff\xff\xff\xff",
    b"9" * 400,
    b"[" * 2000,
    b"{a: " * 200,
    b"-1e999",
    b"NaN",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    "\u0663\u202e\x00".encode(),
    b"\r\n" * 40,
)


@st.composite
def mutated(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """Return one of the seeds after a few changes, or garbage."""
    data = bytearray(draw(st.sampled_from(seeds)))
    if draw(st.integers(0, 19)) == 0:
        return draw(st.binary(max_size=200))
    for _ in range(draw(st.integers(0, 5))):
        place = draw(st.integers(0, len(data)))
        size = draw(st.integers(0, 12))
        kind = draw(st.integers(0, 5))
        if kind == 0:
            data[place : place + 1] = bytes([draw(st.sampled_from(TELLING))])
        elif kind == 1:
            data[place : place + size] = draw(st.binary(max_size=4))
        elif kind == 2:
            del data[place : place + size]
        elif kind == 3:
            data[place:place] = data[place : place + size] * draw(st.integers(1, 50))
        elif kind == 4:
            data[place:place] = draw(st.sampled_from(PIECES))
        else:
            other = draw(st.sampled_from(seeds))
            data[place:] = other[draw(st.integers(0, len(other))) :]
    return bytes(data[:MOST_BYTES])
