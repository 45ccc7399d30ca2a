"""The lines of a log file, also of a compressed one, in a bounded memory."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import BufferedIOBase, BufferedReader
from pathlib import Path

CHUNK_BYTES = 1 << 20
LONGEST_LINE = 1 << 20  # bytes; of a longer one the rest is skipped
BY_FIRST_BYTES: Mapping[bytes, Callable[[BufferedReader], BufferedIOBase]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ": lzma.LZMAFile,
}
CUT_OFF = (EOFError, OSError, zlib.error, lzma.LZMAError)


class LogFileError(Exception):
    """A file that cannot be read to its end; what was before was yielded."""


def oldest_first(paths: Iterable[Path]) -> list[Path]:
    """Return the files by the time of their last change, as rotated files follow each other.

    Raise OSError if one does not exist.
    """
    return sorted(paths, key=lambda path: path.stat().st_mtime)


def _decompressed(file: BufferedReader) -> BufferedIOBase:
    """Return the content of a file, which is known as compressed by its first bytes."""
    peeked = file.peek(max(map(len, BY_FIRST_BYTES)))
    for magic, opened in BY_FIRST_BYTES.items():
        if peeked.startswith(magic):
            return opened(file)
    return file


def chunks_of_lines(
    file: BufferedReader, progress: Callable[[int], None] = lambda _: None
) -> Iterator[list[bytes]]:
    """Yield lists of lines without line feeds; LogFileError if the content is damaged.

    `progress` gets how many more bytes of the file were read, compressed or not.
    """
    read_bytes, rest = 0, b""
    content = _decompressed(file)
    while True:
        try:
            chunk = content.read1(CHUNK_BYTES)
        except CUT_OFF as error:
            raise LogFileError(str(error) or "damaged") from error
        if not chunk:
            break
        *lines, rest = (rest + chunk).split(b"\n")
        yield lines
        rest = rest[:LONGEST_LINE]
        if file.seekable():
            at = file.tell()
            progress(at - read_bytes)
            read_bytes = at
    if rest:
        yield [rest]
