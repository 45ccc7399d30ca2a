"""Repeated trouble is one line in the log and one a minute with a count; events are all logged."""

from __future__ import annotations

import io
import logging
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from ldaphealth.agent.repeated_lines import LINE_SECONDS, MOST_LINES, BoundedHandler, RepeatedLines

log = logging.getLogger("ldaphealth.tests.repeated")


class Written:
    """A log with a clock that stands still, and its lines."""

    def __init__(self) -> None:
        self.now = 100.0
        self._stream = io.StringIO()
        self.handler = BoundedHandler(self._stream, lambda: self.now)
        self.handler.setFormatter(_Formatter())

    def lines(self) -> list[str]:
        """Return the lines since the last call."""
        text = self._stream.getvalue()
        self._stream.seek(0)
        self._stream.truncate()
        return text.splitlines()

    def after(self, seconds: float) -> list[str]:
        """Return the lines since the last call, when so much time has passed."""
        self.now += seconds
        self.handler.write_counts()
        return self.lines()


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        extra = ("server", "error", "count")
        words = [f"{key}={getattr(record, key)}" for key in extra if hasattr(record, key)]
        trace = ["(traceback)"] if record.exc_info else []
        return " ".join([record.getMessage(), *words, *trace])


@pytest.fixture
def written() -> Iterator[Written]:
    found = Written()
    log.addHandler(found.handler)
    log.propagate = False
    yield found
    log.removeHandler(found.handler)
    log.propagate = True


def full(server: str = "a") -> None:
    error = str(OSError(28, "No space left on device", f"/run/{server}"))
    log.error("cannot publish", extra={"publisher": "P", "error": error})


def defect(text: str = "x") -> None:
    try:
        dict[str, int]()[text]
    except KeyError:
        log.exception("a round failed", extra={"server": "c/s"})


DISK = "cannot publish error=[Errno 28] No space left on device: '/run/"


def test_the_first_line_comes_at_once_and_then_a_count_each_minute(written: Written) -> None:
    for number in range(1000):
        full(f"s{number}")
    assert written.lines() == [f"{DISK}s0'"]
    assert written.after(LINE_SECONDS - 1) == []
    assert written.after(1) == [f"{DISK}s999' count=999"]

    full()
    assert written.lines() == []
    assert written.after(LINE_SECONDS) == [f"{DISK}a' count=1"]


def test_when_it_has_ended_nothing_is_written_and_later_it_is_new(written: Written) -> None:
    full()
    assert written.lines() == [f"{DISK}a'"]
    assert written.after(LINE_SECONDS) == []
    full("b")
    assert written.lines() == [f"{DISK}b'"]


def test_a_traceback_is_written_once_and_its_frames_are_not_kept(written: Written) -> None:
    for _ in range(3):
        defect()

    assert written.lines() == ["a round failed server=c/s (traceback)"]
    assert written.after(LINE_SECONDS) == ["a round failed server=c/s error=KeyError: 'x' count=2"]


def test_the_end_writes_what_was_counted(written: Written) -> None:
    full()
    full()
    written.lines()
    written.handler.write_counts(everything=True)
    assert written.lines() == [f"{DISK}a' count=1"]


@pytest.mark.parametrize(
    "send",
    [
        pytest.param(lambda: log.warning("verdict", extra={"server": "c/s"}), id="a verdict"),
        pytest.param(lambda: log.info("reloaded", extra={"error": "none"}), id="an event"),
        pytest.param(lambda: log.debug("x", exc_info=OSError()), id="debug"),
    ],
)
def test_what_is_no_trouble_is_written_each_time(
    written: Written, send: Callable[[], None]
) -> None:
    log.setLevel(logging.DEBUG)
    for _ in range(5):
        send()
    log.setLevel(logging.NOTSET)
    assert len(written.lines()) == 5


def test_different_trouble_of_one_place_has_lines_of_its_own_up_to_a_bound(
    written: Written,
) -> None:
    for number in range(1000):
        log.error("the old configuration is kept", extra={"error": f"mistake {number}"})
    assert len(written.lines()) == MOST_LINES
    (line,) = written.after(LINE_SECONDS)
    assert line.endswith(f"error=mistake 999 count={1000 - MOST_LINES}")


def test_memory_is_bounded() -> None:
    repeated = RepeatedLines()

    def storm() -> int:
        for number in range(4000):
            record = logging.makeLogRecord({"levelno": logging.ERROR, "msg": f"failed {number}"})
            record.error = "x" * 1000
            repeated.admit(record, 0.0)
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        first = storm()
        assert storm() - first < 100_000
    finally:
        tracemalloc.stop()
    assert len(list(repeated.due(LINE_SECONDS))) == MOST_LINES + 1
    assert list(repeated.due(3 * LINE_SECONDS)) == []


def test_a_wrong_record_raises_nothing(
    written: Written, capsys: pytest.CaptureFixture[str]
) -> None:
    record = {"levelno": logging.ERROR, "msg": "%d of %d", "args": ("one",)}
    written.handler.handle(logging.makeLogRecord(record))

    assert written.lines() == []
    assert "Logging error" in capsys.readouterr().err
