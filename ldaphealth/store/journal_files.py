"""The files of the journal: `CLUSTER.BEGAN.journal`, each with one segment. Only bytes here.

A segment is `MAGIC` and frames: the length and the CRC-32 of what follows (big-endian), and a part
of one zlib stream (RFC 1950) up to a flush. A frame has rows in MessagePack, in an array. A file is
written once and never opened for writing again, so a torn or damaged frame ends what can be read
of it, and the next segment can be read alone.

A segment that was ended has a summary behind its frames: a frame of length 0, and then the length,
the CRC-32 and MessagePack. It is found without a look into the frames.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from msgspec import Struct

from ldaphealth.clocks import EpochSeconds
from ldaphealth.files.division import shard_directories
from ldaphealth.files.own_directory import PRIVATE, make_directory
from ldaphealth.files.regular_file import READ, refuse_other_kinds

MAGIC = b"ldaphealth journal 1\n"
MAGIC_OF_ANY_VERSION = b"ldaphealth journal "
HEAD = struct.Struct(">II")
ARRAY = struct.Struct(">BI")  # an array of MessagePack with 32 bits of length
ARRAY_32 = 0xDD
END_OF_FRAMES = HEAD.pack(0, 0)
END = ".journal"
BEGAN = "%Y%m%dT%H%M%SZ"
MODE = 0o640
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
LARGEST_FRAME = 16 << 20  # bytes, also when it is not compressed
FRAME_BYTES = 64 << 10  # a frame ends then
LEVEL = 6
# 64 KiB a segment that is written (zconf.h), a quarter of the usual. Files are 2 % larger than with
# the usual ones in clusters of four, 10 % in clusters of a hundred.
WINDOW_BITS, MEMORY_LEVEL = 13, 6

Row = list[Any]


class DamagedError(Exception):
    """A segment cannot be read to its end. The message is a phrase with the reason."""


class Segment(Struct, frozen=True):
    """A file, its size, and how long it was written to by the times of the file."""

    path: Path
    cluster: str
    began: EpochSeconds
    bytes: int
    seconds: float


def segments_by_cluster(directory: Path) -> dict[str, list[Segment]]:
    """Return the segments of each cluster, oldest first; none without the directory; OSError."""
    try:
        paths = [*directory.iterdir()]  # glob would hide that it cannot be read
    except FileNotFoundError:
        return {}
    found: dict[str, list[Segment]] = {}
    for path in paths:
        if (segment := _segment(path)) is not None:
            found.setdefault(segment.cluster, []).append(segment)
    return {each: sorted(found[each], key=lambda segment: segment.began) for each in sorted(found)}


def segments_of_all(state_directory: Path) -> dict[str, list[Segment]]:
    """Return those in a state directory and in those of shards below it: a cluster may have moved.

    OSError: a directory cannot be read.
    """
    found = segments_by_cluster(state_directory)
    for directory in shard_directories(state_directory):
        for cluster, segments in segments_by_cluster(directory).items():
            found[cluster] = sorted(
                [*found.get(cluster, ()), *segments], key=lambda segment: segment.began
            )
    return found


def _segment(path: Path) -> Segment | None:
    cluster, _, stamp = path.name.removesuffix(END).rpartition(".")
    if not (cluster and path.name.endswith(END)):
        return None
    try:
        began = datetime.strptime(stamp, BEGAN).replace(tzinfo=UTC).timestamp()
        found = path.lstat()
    except (ValueError, OSError):  # not a name of the journal, or removed meanwhile
        return None
    return Segment(path, cluster, began, found.st_size, max(0.0, found.st_mtime - began))


class SegmentFile:
    """A new segment. OSError of any method: what follows cannot be written to it."""

    def __init__(self, directory: Path, cluster: str, now: EpochSeconds) -> None:
        make_directory(directory, PRIVATE)
        self.path, self._descriptor = _create(directory, cluster, now)
        self._encoder = msgspec.msgpack.Encoder()
        self._stream = zlib.compressobj(LEVEL, zlib.DEFLATED, WINDOW_BITS, MEMORY_LEVEL)
        self._rows, self._count, self._head = bytearray(), 0, MAGIC

    def add(self, row: Row) -> None:
        """Add a row; it is in the file after the next `flush`, or when there are many."""
        self._rows += self._encoder.encode(row)
        self._count += 1
        if len(self._rows) >= FRAME_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write the rows that are not in the file yet."""
        if not self._count:
            return
        plain = ARRAY.pack(ARRAY_32, self._count) + self._rows
        self._rows.clear()
        self._count = 0
        frame = self._stream.compress(plain) + self._stream.flush(zlib.Z_SYNC_FLUSH)
        self._refuse_removed()
        self._write(self._head + HEAD.pack(len(frame), zlib.crc32(frame)) + frame)
        self._head = b""

    def end(self, summary: object) -> None:
        """Write the rows that are not in the file yet, and the summary."""
        self.flush()
        plain = self._encoder.encode(summary)
        self._refuse_removed()
        self._write(END_OF_FRAMES + HEAD.pack(len(plain), zlib.crc32(plain)) + plain)

    def close(self) -> None:
        """Close the file, whatever is not in it yet."""
        os.close(self._descriptor)

    def discard(self) -> None:
        """Close the file and remove it."""
        self.close()
        with contextlib.suppress(OSError):
            self.path.unlink()

    def _refuse_removed(self) -> None:
        """Raise OSError if the file is no longer at its path: it would never be read."""
        found, own = self.path.stat(), os.fstat(self._descriptor)
        if (found.st_dev, found.st_ino) != (own.st_dev, own.st_ino):
            raise OSError(errno.ESTALE, "was replaced", str(self.path))

    def _write(self, content: bytes) -> None:
        view = memoryview(content)
        while view:
            view = view[os.write(self._descriptor, view) :]


def _create(directory: Path, cluster: str, now: EpochSeconds) -> tuple[Path, int]:
    """Create a file that is not there yet, with the time in its name, or one soon after it."""
    at = datetime.fromtimestamp(now, UTC)
    while True:
        path = directory / f"{cluster}.{at.strftime(BEGAN)}{END}"
        try:
            descriptor = os.open(path, CREATE, MODE)
        except FileExistsError:
            at += timedelta(seconds=1)
        else:
            os.fchmod(descriptor, MODE)  # whatever the umask is
            return path, descriptor


def read_frames(path: Path) -> Iterator[Sequence[Row]]:
    """Yield the rows of each frame, oldest first; DamagedError at the first that cannot be read.

    A file that is being written, or whose writer was killed, may end within a frame. That is no
    error. OSError: the file cannot be opened.
    """
    refuse_other_kinds(path)
    decoder, stream = msgspec.msgpack.Decoder(list[list[Any]]), zlib.decompressobj()
    with os.fdopen(os.open(path, READ), "rb") as file:
        _refuse_others(file.read(len(MAGIC)))
        while len(head := file.read(HEAD.size)) == HEAD.size:
            length, checksum = HEAD.unpack(head)
            if not length:
                return
            if (frame := _content(file, length, checksum)) is None:
                return
            try:
                plain = stream.decompress(frame, LARGEST_FRAME)
                rows = decoder.decode(plain)
            except (zlib.error, msgspec.MsgspecError, RecursionError) as error:
                raise DamagedError(str(error)) from error
            yield rows


def read_summary(path: Path) -> Any:
    """Return the summary of a segment, None if it has none: it was not ended, or not yet.

    DamagedError: it cannot be read. OSError: the file cannot be opened.
    """
    refuse_other_kinds(path)
    with os.fdopen(os.open(path, READ), "rb") as file:
        _refuse_others(file.read(len(MAGIC)))
        size = os.fstat(file.fileno()).st_size
        while len(head := file.read(HEAD.size)) == HEAD.size and head != END_OF_FRAMES:
            if file.seek(HEAD.unpack(head)[0], os.SEEK_CUR) > size:
                return None
        head = file.read(HEAD.size)
        if len(head) < HEAD.size or (content := _content(file, *HEAD.unpack(head))) is None:
            return None
    try:
        return msgspec.msgpack.decode(content)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise DamagedError(str(error)) from error


def _content(file: BinaryIO, length: int, checksum: int) -> bytes | None:
    """Return what follows a head; None: the file ends before; DamagedError."""
    if length > LARGEST_FRAME:
        raise DamagedError(f"a frame of {length} bytes")
    content = file.read(length)
    if len(content) < length:
        return None
    if zlib.crc32(content) != checksum:
        raise DamagedError("a wrong checksum")
    return content


def _refuse_others(magic: bytes) -> None:
    if magic == MAGIC or (len(magic) < len(MAGIC) and MAGIC.startswith(magic)):
        return
    if magic.startswith(MAGIC_OF_ANY_VERSION):
        raise DamagedError("written by another version of ldaphealth")
    raise DamagedError("not a file of the journal")
