"""Lines of the log wait for their reader, and nobody else waits for it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from time import monotonic
from typing import TextIO

import pytest

from ldaphealth.agent.log_stream import END_SECONDS, MOST_LINES, WAIT_SECONDS, LogStream

PATIENCE_SECONDS = 10.0
FILL = b"x" * 4095 + b"\n"


@pytest.fixture
def ends() -> Iterator[tuple[int, TextIO]]:
    """Return the reader, and a stream into the pipe."""
    reader, writer = os.pipe()
    with open(writer, "w", encoding="utf-8", errors="backslashreplace") as stream:  # noqa: PTH123
        yield reader, stream
    os.close(reader)


def fill(stream: TextIO) -> int:
    """Fill the pipe; return with how many octets."""
    os.set_blocking(stream.fileno(), False)
    count = 0
    with suppress(BlockingIOError):
        while True:
            count += os.write(stream.fileno(), FILL)
    os.set_blocking(stream.fileno(), True)
    return count


def read(reader: int, octets: int) -> bytes:
    found = b""
    while len(found) < octets:
        found += os.read(reader, octets - len(found))
    return found


def test_a_line_is_there_when_it_was_flushed(ends: tuple[int, TextIO]) -> None:
    reader, stream = ends
    log = LogStream(stream)
    for line in ("one\n", "zwölf \udce9\n"):
        log.write(line)
        log.flush()
        os.set_blocking(reader, False)
        expected = line.encode(errors="backslashreplace")
        assert os.read(reader, 4096) == expected


def test_while_nobody_reads_all_go_on_and_then_the_lines_are_there(
    ends: tuple[int, TextIO],
) -> None:
    reader, stream = ends
    filled = fill(stream)
    log = LogStream(stream)
    began = monotonic()
    for number in range(MOST_LINES + 50):
        log.write(f"{number:05}\n")
        log.flush()
    assert WAIT_SECONDS <= monotonic() - began < PATIENCE_SECONDS, "one flush waited, and once"
    assert log.take_lost() == 0, "there is nobody to tell"

    read(reader, filled)
    lines = read(reader, 6 * MOST_LINES).splitlines()
    assert lines == [b"%05d" % number for number in range(MOST_LINES)]
    lost = 0
    while lost == 0 and monotonic() < began + PATIENCE_SECONDS:
        lost = log.take_lost()
    assert lost in {49, 50}, "the thread may have had one in its hands"
    log.write("again\n")
    log.flush()
    assert read(reader, 6 * (51 - lost)).endswith(b"again\n")


@pytest.mark.parametrize("reads", [True, False])
def test_at_the_end_a_slow_reader_is_waited_for_and_a_stopped_one_for_a_second(
    ends: tuple[int, TextIO], reads: bool
) -> None:
    reader, stream = ends
    filled = fill(stream)
    log = LogStream(stream)
    log.write("last\n")
    log.flush()
    slow = threading.Timer(END_SECONDS / 4, read, [reader, filled])
    began = monotonic()
    if reads:
        slow.start()
    log.close()

    assert monotonic() - began >= (END_SECONDS / 4 if reads else END_SECONDS) - 0.01
    if reads:
        slow.join()
        assert read(reader, 5) == b"last\n"


def test_a_reader_that_is_gone_is_no_trouble() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8") as stream:  # noqa: PTH123
        log = LogStream(stream)
        log.write("nobody\n")
        log.flush()
        assert log.take_lost() == 0
