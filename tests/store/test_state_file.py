"""What the agent knew is known again after a restart, and no more than is still true."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis.strategies import binary, integers, lists, tuples
from msgspec.structs import replace

from demo import wait
from ldaphealth.control.requests import MAX_SECONDS
from ldaphealth.guard import Memory, Override, ServerMemory
from ldaphealth.store.record_file import MAX_BYTES, boot_id
from ldaphealth.store.state_file import (
    SAVE_SECONDS,
    VERSION,
    YOUNG_SECONDS,
    LoadedState,
    StateSaver,
    load_state,
    save_state,
    state_path,
)

NOW = 5000.0
PAST = ServerMemory(
    in_service=False,
    since=4000.5,
    good=1,
    bad=7,
    fell=(3000.0, 4000.5),
    returned=False,
    began=4990.0,
    answered=4980.0,
    silent_since=4985.0,
)
DRAIN = Override("drain", NOW + 600.0, "new disk, häßlich \N{HARD DISK}")
MEMORIES = {
    "main": Memory(
        {"main/a": PAST, "main/b": ServerMemory(in_service=True, since=1.0)}, {"main/a": DRAIN}
    ),
}


# What version 0.1.0 wrote, but for the boot.
WRITTEN_BY_0_1 = (
    '{"version":1,"boot_id":"BOOT","at":5000.0,"epoch":1800000000.0,"memories":{"main":{"servers":'
    '{"main/a":{"in_service":false,"since":4000.5,"good":1,"bad":7,"fell":[3000.0,4000.5],'
    '"returned":false,"began":4990.0,"answered":4980.0,"silent_since":4985.0,"share":1.0,'
    '"leaning":0,"leaning_to":1.0},"main/b":{"in_service":true,"since":1.0,"good":0,"bad":0,'
    '"fell":[],"returned":false,"began":0.0,"answered":0.0,"silent_since":null,"share":1.0,'
    '"leaning":0,"leaning_to":1.0}},"overrides":{"main/a":{"will":"drain","until":5600.0,'
    '"reason":"new disk, h\u00e4\u00dflich \U0001f5b4"}}},"empty":{"servers":{},"overrides":{}}}}'
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return state_path(tmp_path)


def doctored(path: Path, line: int = 0, **changes: object) -> None:
    """Change values in a line of the file, by default in its header."""
    lines = path.read_bytes().splitlines()
    record: dict[str, Any] = json.loads(lines[line])
    lines[line] = json.dumps(record | changes).encode()
    path.write_bytes(b"".join(each + b"\n" for each in lines))


def memories(path: Path, now: float) -> Mapping[str, Memory]:
    """Return the memories in a file without a problem."""
    loaded = load_state(path, now)
    assert loaded.problem == ""
    return loaded.memories


def after_another_boot(path: Path, seconds_ago: float) -> None:
    doctored(path, boot_id="another boot", epoch=time.time() - seconds_ago)


def test_without_a_file_nothing_is_known(path: Path) -> None:
    assert load_state(path, NOW) == LoadedState()


@pytest.mark.parametrize("seconds", [0.0, 1.0, YOUNG_SECONDS])
def test_what_was_saved_a_moment_ago_is_known_again(path: Path, seconds: float) -> None:
    save_state(path, MEMORIES, NOW)

    assert memories(path, NOW + seconds) == MEMORIES


def test_a_file_of_version_0_1_is_known_again(path: Path) -> None:
    path.write_text(WRITTEN_BY_0_1.replace("BOOT", boot_id()), encoding="utf-8")

    assert memories(path, NOW) == MEMORIES


def test_the_file_is_for_the_agent_and_its_group_only(path: Path) -> None:
    save_state(path, MEMORIES, NOW)

    assert path.stat().st_mode & 0o777 == 0o640
    assert {each.name for each in path.parent.iterdir()} == {path.name, "overrides"}
    assert path.with_name("overrides").stat().st_mode & 0o777 == 0o750


def test_verdicts_that_are_not_young_are_forgotten_and_overrides_are_not(path: Path) -> None:
    save_state(path, MEMORIES, NOW)

    assert memories(path, NOW + YOUNG_SECONDS + 0.1) == {"main": Memory({}, {"main/a": DRAIN})}


@pytest.mark.parametrize("up_seconds", [1.0, 40.0, 9000.0])
@pytest.mark.parametrize("away_seconds", [0.0, 90.0, 599.0, 601.0, 86400.0])
def test_an_override_has_the_right_time_left_after_another_boot(
    path: Path, up_seconds: float, away_seconds: float
) -> None:
    save_state(path, MEMORIES, NOW)
    after_another_boot(path, away_seconds)

    memory = memories(path, up_seconds)["main"]

    assert memory.servers == {}
    word = memory.overrides["main/a"]
    assert (word.action, word.reason) == (DRAIN.action, DRAIN.reason)
    assert word.until - up_seconds == pytest.approx(600 - away_seconds, abs=2)


def test_a_clock_of_the_day_that_stepped_back_does_not_lengthen_an_override(path: Path) -> None:
    save_state(path, MEMORIES, NOW)
    after_another_boot(path, -86400.0)

    assert memories(path, 10.0)["main"].overrides["main/a"].until == pytest.approx(610.0, abs=2)


def test_a_clone_of_the_machine_with_the_same_boot_id_and_a_younger_clock_is_another_boot(
    path: Path,
) -> None:
    save_state(path, MEMORIES, NOW)

    memory = memories(path, NOW - 100)["main"]

    assert memory.servers == {}
    assert memory.overrides["main/a"].until == pytest.approx(NOW - 100 + 600, abs=2)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\0" * 4096, id="zeros, as after a power cut"),
        pytest.param(b"{}", id="no fields"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'{"version": 1, "boot_id": "x", "at": 1.0, "epo', id="cut off"),
        pytest.param(b"\xff\xfe\x00", id="binary"),
        pytest.param(
            b'{"version":1,"boot_id":"\xff","at":1.0,"epoch":1.0,"memories":{}}', id="no UTF-8"
        ),
        pytest.param(
            b'{"version":1,"boot_id":"x","at":NaN,"epoch":1.0,"memories":{}}', id="no number"
        ),
        pytest.param(
            b'{"version":1,"boot_id":"x","at":1e999,"epoch":1.0,"memories":{}}', id="infinite"
        ),
        pytest.param(
            b'{"version":1,"boot_id":"x","at":1,"epoch":1,"memories":{"c":{"overrides":'
            b'{"c/s":{"will":"perhaps","until":1}}}}}',
            id="an unknown will",
        ),
        pytest.param(b" " * (MAX_BYTES + 10), id="huge and blank"),
        pytest.param(b'{"version":1,"boot_id":"' + b"x" * (MAX_BYTES + 10), id="huge"),
        pytest.param(
            b"[" * 100_000,
            id="deeply nested",
        ),
        pytest.param(
            b'{"version":1,"x":' + b"[" * 100_000,
            id="deeply nested in an unknown field",
        ),
    ],
)
def test_a_damaged_file_has_a_problem_and_no_memories(path: Path, content: bytes) -> None:
    path.write_bytes(content)

    loaded = load_state(path, NOW)

    assert loaded.memories == {}
    assert loaded.problem.startswith(f"{path}: ")
    assert "\n" not in loaded.problem


@pytest.mark.parametrize("kind", ["FIFO", "directory", "link", "device"])
def test_what_is_no_file_is_a_problem_and_never_waited_for(path: Path, kind: str) -> None:
    make: dict[str, Callable[[], object]] = {
        "FIFO": lambda: os.mkfifo(path),
        "directory": path.mkdir,
        "link": lambda: path.symlink_to("/etc/hostname"),
        "device": lambda: path.symlink_to("/dev/zero"),
    }
    make[kind]()
    began = time.monotonic()

    loaded = load_state(path, NOW)

    assert "not a regular file" in loaded.problem
    assert time.monotonic() - began < 1.0


@pytest.mark.parametrize("version", [0, VERSION + 1])
def test_of_another_version_the_records_that_are_known_are_used(path: Path, version: int) -> None:
    save_state(path, MEMORIES, NOW)
    doctored(path, version=version)

    loaded = load_state(path, NOW)

    assert loaded.memories == MEMORIES
    assert loaded.problem == f"{path}: version {version}; this program knows {VERSION}"


def test_of_every_prefix_of_a_file_all_whole_records_are_used(path: Path) -> None:
    save_state(path, MEMORIES, NOW)
    whole = path.read_bytes()
    header, override, *_ = whole.splitlines(keepends=True)
    for length in range(len(whole) - 1):  # without the last line end all records are there
        path.write_bytes(whole[:length])
        loaded = load_state(path, NOW)
        assert loaded.problem
        if length >= len(header + override) - 1:
            assert loaded.memories["main"].overrides == {"main/a": DRAIN}


def test_one_damaged_record_costs_no_other(path: Path) -> None:
    save_state(path, MEMORIES, NOW)
    whole = path.read_bytes().splitlines(keepends=True)
    assert len(whole) == 4
    for number in (1, 2, 3):
        zeros = b"\0" * (len(whole[number]) - 1) + b"\n"
        path.write_bytes(b"".join([*whole[:number], zeros, *whole[number + 1 :]]))
        loaded = load_state(path, NOW)
        main = loaded.memories["main"]
        assert len(main.servers) == (2 if number == 1 else 1)
        # The file for keepalived's script has it, too.
        assert [each.action for each in main.overrides.values()] == ["drain"]
        assert "1 of 3 records damaged" in loaded.problem


def test_a_record_that_is_missing_is_noticed(path: Path) -> None:
    save_state(path, MEMORIES, NOW)
    whole = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(whole[:-1]))

    assert load_state(path, NOW).problem == f"{path}: 2 of 3 records found"


def test_without_a_header_overrides_end_at_their_time_of_day(path: Path) -> None:
    save_state(path, MEMORIES, NOW)
    whole = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([b"\0" * 40 + b"\n", *whole[1:]]))

    loaded = load_state(path, 7.0)

    assert loaded.problem == f"{path}: the first line is damaged"
    assert loaded.memories["main"].servers == {}
    assert loaded.memories["main"].overrides["main/a"].until == pytest.approx(607.0, abs=2)


def test_no_override_lasts_longer_than_one_can_be_set_for(path: Path) -> None:
    save_state(path, MEMORIES, NOW)
    doctored(path, 1, override={"will": "drain", "until": 1e12})

    assert memories(path, NOW)["main"].overrides["main/a"].until == NOW + MAX_SECONDS


def test_records_beyond_the_largest_size_are_not_read_and_the_others_are(path: Path) -> None:
    save_state(path, MEMORIES, NOW)
    with path.open("ab") as file:
        file.write(b"x" * 2_000_000 + b"\n" + b"y\n" * MAX_BYTES)
    began = time.monotonic()

    loaded = load_state(path, NOW)

    assert loaded.memories == MEMORIES
    assert "larger than" in loaded.problem
    assert time.monotonic() - began < 5.0


def test_what_could_not_be_read_again_is_not_written(path: Path) -> None:
    huge = {"main": Memory({}, {"main/a": Override("drain", NOW, "y" * MAX_BYTES)})}
    save_state(path, MEMORIES, NOW)

    with pytest.raises(OSError, match="larger than"):
        save_state(path, huge, NOW)
    assert memories(path, NOW) == MEMORIES


@given(lists(tuples(integers(0, 2000), integers(0, 20), binary(max_size=20)), max_size=5))
def test_whatever_is_changed_in_a_file_it_is_read_without_an_error(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int, bytes]]
) -> None:
    path = state_path(tmp_path_factory.mktemp("state"))
    save_state(path, MEMORIES, NOW)
    content = bytearray(path.read_bytes())
    for at, length, new in changes:
        first = at % len(content)
        content[first : first + length] = new
    path.write_bytes(content)

    loaded = load_state(path, NOW)

    overrides = [each for memory in loaded.memories.values() for each in memory.overrides.values()]
    assert all(each.until <= NOW + MAX_SECONDS for each in overrides)


def test_fields_of_a_later_program_are_left_out(path: Path) -> None:
    save_state(path, MEMORIES, NOW)
    doctored(path, invented_later={"x": [1]})

    assert memories(path, NOW) == MEMORIES


def test_a_file_of_a_program_that_settled_no_weights_is_read(path: Path) -> None:
    save_state(path, MEMORIES, NOW)
    written = WRITTEN_BY_0_1.replace(',"share":1.0,"leaning":0,"leaning_to":1.0', "")
    path.write_text(written.replace("BOOT", boot_id()), encoding="utf-8")

    assert memories(path, NOW) == MEMORIES


def test_a_directory_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")  # as unreadable for root as for anybody

    assert "symbolic links" in load_state(state_path(tmp_path / "loop"), NOW).problem
    with pytest.raises(OSError, match="symbolic links"):
        save_state(state_path(tmp_path / "loop"), MEMORIES, NOW)


def test_a_save_that_fails_leaves_the_old_file(path: Path) -> None:
    save_state(path, MEMORIES, NOW)
    (path.parent / ".state.json.new").mkdir()

    with pytest.raises(IsADirectoryError):
        save_state(path, {}, NOW)

    assert memories(path, NOW) == MEMORIES


def test_a_thousand_servers_fit_well(path: Path) -> None:
    names = [f"main/{'x' * 60}{number}" for number in range(1000)]
    memory = Memory(dict.fromkeys(names, PAST), dict.fromkeys(names, DRAIN))

    save_state(path, {"main": memory}, NOW)

    assert memories(path, NOW) == {"main": memory}
    assert path.stat().st_size < MAX_BYTES / 10


def test_the_boot_has_a_name() -> None:
    assert len(boot_id()) == 36
    assert boot_id() == boot_id()


class Running:
    """Stands for the agent: what it remembers, and its clock."""

    def __init__(self) -> None:
        self.memories: Mapping[str, Memory] = MEMORIES
        self.now = NOW

    def remembers(self) -> Mapping[str, Memory]:
        """Return the newest memories."""
        return self.memories

    def clock(self) -> float:
        """Return the seconds since the boot."""
        return self.now


def comes_true(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    return wait.comes_true(condition, seconds)


def overridden() -> dict[str, Memory]:
    return {"main": Memory(MEMORIES["main"].servers, {})}


def another_round() -> dict[str, Memory]:
    """Return what changes with every round."""
    past = ServerMemory(in_service=False, since=4000.5, bad=8, began=4995.0)
    servers = {"main/a": past, "main/b": ServerMemory(in_service=True, since=1.0)}
    return {"main": Memory(servers, {"main/a": DRAIN})}


def test_an_override_is_saved_at_once_and_other_changes_seldom(path: Path) -> None:
    running = Running()
    keeper = StateSaver(path, running.remembers, running.clock)
    try:
        assert comes_true(path.exists)
        first = path.stat().st_ino, path.stat().st_mtime_ns
        running.memories = another_round()
        time.sleep(1.5)  # the keeper has looked at least once
        assert (path.stat().st_ino, path.stat().st_mtime_ns) == first
        running.now += SAVE_SECONDS
        assert comes_true(lambda: memories(path, running.now) == running.memories)
        running.memories = overridden()
        assert comes_true(lambda: memories(path, running.now) == running.memories, 2.5)
        assert keeper.errors == 0
    finally:
        keeper.close()


def test_what_cannot_be_saved_does_not_end_the_saver(path: Path) -> None:
    running = Running()
    keeper = StateSaver(path, running.remembers, running.clock)
    try:
        running.memories = {"main": Memory({}, {"main/a": replace(DRAIN, by="jos\udce9")})}
        assert comes_true(lambda: keeper.errors > 0)
        running.memories = overridden()
        assert comes_true(lambda: memories(path, running.now) == running.memories)
    finally:
        keeper.close()


def test_a_verdict_that_changes_is_saved_at_once(path: Path) -> None:
    running = Running()
    keeper = StateSaver(path, running.remembers, running.clock)
    try:
        assert comes_true(path.exists)
        running.memories = {
            "main": Memory(
                {"main/a": ServerMemory(in_service=True, since=4999.0)}, {"main/a": DRAIN}
            )
        }
        assert comes_true(lambda: memories(path, running.now) == running.memories, 2.5)
    finally:
        keeper.close()


def test_close_saves_a_last_time_and_ends_the_thread(path: Path) -> None:
    running = Running()
    keeper = StateSaver(path, running.remembers, running.clock)
    running.memories = overridden()

    keeper.close()

    assert memories(path, NOW) == running.memories
    assert not keeper._thread.is_alive()


def test_save_is_done_when_it_returns_or_says_why_not(tmp_path: Path) -> None:
    running = Running()
    path = state_path(tmp_path / "later")
    keeper = StateSaver(path, running.remembers, running.clock)
    try:
        with pytest.raises(FileNotFoundError):
            keeper.save()
        path.parent.mkdir()
        keeper.save()
        assert memories(path, NOW) == MEMORIES
    finally:
        keeper.close()


def test_the_keeper_goes_on_after_errors(tmp_path: Path) -> None:
    running = Running()
    path = state_path(tmp_path / "later")
    keeper = StateSaver(path, running.remembers, running.clock)
    try:
        assert comes_true(lambda: keeper.errors > 0)
        path.parent.mkdir()
        assert comes_true(path.exists)
        assert memories(path, NOW) == MEMORIES
    finally:
        keeper.close()


def test_trouble_that_comes_again_is_told_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    running = Running()
    path = state_path(tmp_path / "later")
    keeper = StateSaver(path, running.remembers, running.clock)
    try:
        assert comes_true(lambda: keeper.errors > 0)
        path.parent.mkdir()
        keeper.save()
        shutil.rmtree(path.parent)
        told, before = len(caplog.records), keeper.errors
        running.memories = overridden()
        assert comes_true(lambda: keeper.errors > before)
        assert len(caplog.records) > told
    finally:
        keeper.close()


def test_overrides_do_not_keep_what_is_saved_beside_from_being_saved(path: Path) -> None:
    running, saved = Running(), []
    saver = StateSaver(path, running.remembers, running.clock, lambda: saved.append(running.now))
    try:
        assert comes_true(lambda: len(saved) == 1)
        for _ in range(4):
            running.now += SAVE_SECONDS / 3
            saver.save()
            time.sleep(1.1)  # the saver has compared at least once
        assert len(saved) == 2
    finally:
        saver.close()


def test_many_clients_that_wait_for_the_disk_are_served_by_few_writes(path: Path) -> None:
    running = Running()
    saver = StateSaver(path, running.remembers, running.clock)
    written = set()
    try:
        assert comes_true(path.exists)
        with saver._saving:
            running.memories = overridden()
            clients = [threading.Thread(target=saver.save_important) for _ in range(16)]
            for each in clients:
                each.start()
        for each in clients:
            each.join(10)
            written.add(path.stat().st_ino)
        assert memories(path, NOW) == overridden()
        assert len(written) == 1
    finally:
        saver.close()


def test_what_is_saved_beside_is_saved_seldom_and_at_the_end_and_its_trouble_is_its_own(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    running, asked = Running(), []

    def beside() -> None:
        asked.append(running.now)
        raise OSError("no room")

    keeper = StateSaver(path, running.remembers, running.clock, beside)
    assert comes_true(lambda: len(asked) == 1)
    running.now += SAVE_SECONDS
    assert comes_true(lambda: len(asked) == 2)
    keeper.close()

    assert asked == [NOW, NOW + SAVE_SECONDS, NOW + SAVE_SECONDS]
    assert memories(path, running.now) == MEMORIES
    assert caplog.messages == ["cannot save the state"] * 3  # agent/repeated_lines.py bounds them
