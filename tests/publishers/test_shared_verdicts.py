"""Checks without an agent share the verdicts of one probe, and no others."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

import pytest
from msgspec.structs import replace

from ldaphealth.clocks import boot_seconds
from ldaphealth.publishers.shared_verdicts import (
    SharedVerdicts,
    directory_name,
    settings_mark,
)
from ldaphealth.publishers.verdict_file import MAX_CHARACTERS, parse_line, text
from tests.sinks.nasty import NASTY
from tests.sinks.snapshots import serving, silent

MARK = "0123456789ab"
VERDICTS = (serving("c/s"), silent("c/t"))


def young() -> float:
    """Return the age of a process that has just started."""
    return 0.0


def old() -> float:
    """Return the age of a process that started before everything here."""
    return 100.0


def opened(directory: Path, mark: str = MARK) -> SharedVerdicts:
    """Return the verdicts as another process opens them: with a lock of its own."""
    return SharedVerdicts(directory, "c", mark)


def written(directory: Path) -> SharedVerdicts:
    shared = opened(directory)
    shared.write(VERDICTS, boot_seconds())
    return shared


def test_the_first_is_to_probe_and_the_others_read_what_it_wrote(tmp_path: Path) -> None:
    first = opened(tmp_path)
    assert first.wait("c/s", old, 0.0) is None

    first.write(VERDICTS, boot_seconds())

    in_service, out = (opened(tmp_path).wait(each, old, 0.0) for each in ("c/s", "c/t"))
    assert in_service is not None
    assert out is not None
    assert (in_service.plain, in_service.dynamic, in_service.server) == (0, 102, "c/s")
    assert (out.plain, out.dynamic, out.rest) == (1, 1, "out of service: bind.timeout")


def test_a_process_waits_until_the_verdicts_are_there(tmp_path: Path) -> None:
    first = opened(tmp_path)
    first.wait("c/s", old, 0.0)
    writes = threading.Timer(0.3, first.write, (VERDICTS, boot_seconds()))
    writes.start()

    found = opened(tmp_path).wait("c/s", old, 200.0)

    writes.join()
    assert found is not None


def test_a_process_whose_time_has_passed_does_not_wait(tmp_path: Path) -> None:
    first = opened(tmp_path)
    first.wait("c/s", old, 0.0)
    began = monotonic()

    with pytest.raises(TimeoutError, match="has not ended in time"):
        opened(tmp_path).wait("c/s", old, 50.0)

    assert monotonic() - began < 5


def test_a_process_that_started_later_is_to_probe_by_itself(tmp_path: Path) -> None:
    written(tmp_path)
    sleep(0.05)

    assert opened(tmp_path).wait("c/s", young, 0.0) is None


def test_verdicts_of_other_settings_are_not_read(tmp_path: Path) -> None:
    written(tmp_path)

    assert opened(tmp_path, "ba9876543210").wait("c/s", old, 0.0) is None


def test_the_mark_of_settings_is_that_of_the_file_and_its_content(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for each in (one, other):
        each.write_text("clusters: {}")
    before = settings_mark(one)
    other_mark = settings_mark(other)
    one.write_text("clusters: {a: {}}")

    assert len({before, other_mark, settings_mark(one)}) == 3


@pytest.mark.parametrize("nasty", NASTY.values(), ids=NASTY)
def test_whatever_servers_answer_the_line_is_read_again(tmp_path: Path, nasty: str) -> None:
    verdict = silent("c/s")
    reason = replace(verdict.reasons[0], code=nasty)
    opened(tmp_path).write([replace(verdict, reasons=(reason,) * 20)], boot_seconds())

    found = opened(tmp_path).wait("c/s", old, 0.0)

    assert found is not None
    assert found.plain == 1


def a_fifo(path: Path) -> None:
    os.mkfifo(path)


def a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_link(path: Path) -> None:
    path.with_name("t").rename(path.with_name("u"))
    path.symlink_to("u")


def a_directory(path: Path) -> None:
    path.mkdir()


def a_long_line(path: Path) -> None:
    line = text(serving("c/s"), boot_seconds() + 2).rstrip() + f" settings {MARK}"
    path.write_text(line.replace(" in service", " in service" + "x" * MAX_CHARACTERS) + "\n")


def zeros(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 30)


def another_server(path: Path) -> None:
    path.with_name("t").rename(path)


def no_text(path: Path) -> None:
    path.write_bytes(bytes(range(256)))


@pytest.mark.parametrize(
    "plant",
    [a_fifo, a_device, a_link, a_directory, a_long_line, zeros, another_server, no_text],
)
def test_what_is_no_verdict_is_not_read_and_holds_nothing_up(
    tmp_path: Path, plant: Callable[[Path], None]
) -> None:
    written(tmp_path)
    path = tmp_path / directory_name() / "c" / "s"
    path.unlink()
    plant(path)
    began = monotonic()

    assert opened(tmp_path).wait("c/s", old, 0.0) is None
    assert monotonic() - began < 5


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ldaphealth1 0 102 9 c/s",
        "ldaphealth2 0 102 9 c/s in service",
        "ldaphealth1 2 102 9 c/s in service",
        "ldaphealth1 0 256 9 c/s in service",
        "ldaphealth1 0 0 9 c/s in service",
        "ldaphealth1 0 x 9 c/s in service",
    ],
)
def test_a_line_of_another_kind_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_line(line)
