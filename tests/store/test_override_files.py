"""The files of overrides, which keepalived's script reads when nothing else works."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ldaphealth.guard import Memory, Override
from ldaphealth.model import OverrideAction
from ldaphealth.shard import Shard, shard_of
from ldaphealth.sinks.keepalived import misc_check_status
from ldaphealth.store.override_files import (
    STATUSES,
    read_override_files,
    write_override_files,
)
from tests.sinks.snapshots import silent

BOOT, OTHER_BOOT = "4e6b7a7e-boot", "77777777-boot"
NOW, EPOCH = 1000.0, 1_800_000_000.0


def overridden(*servers: str, action: OverrideAction = "drain") -> dict[str, Memory]:
    return {"c": Memory({}, {each: Override(action, NOW + 600) for each in servers})}


def save(directory: Path, memories: dict[str, Memory]) -> None:
    write_override_files(directory, memories, boot_id=BOOT, now=NOW, epoch=EPOCH)


@pytest.mark.parametrize("action", STATUSES)
def test_an_override_is_read_again(tmp_path: Path, action: OverrideAction) -> None:
    save(tmp_path, overridden("c/s", action=action))

    found = read_override_files(tmp_path, boot_id=BOOT, now=NOW + 5, epoch=EPOCH - 9000)

    assert found == {"c": Memory({}, {"c/s": Override(action, NOW + 600)})}


def test_after_another_boot_the_time_of_day_counts(tmp_path: Path) -> None:
    save(tmp_path, overridden("c/s"))

    found = read_override_files(tmp_path, boot_id=OTHER_BOOT, now=50.0, epoch=EPOCH + 100)

    assert found["c"].overrides["c/s"].until == pytest.approx(50.0 + 500)


def test_a_server_that_is_forced_in_has_no_file(tmp_path: Path) -> None:
    save(tmp_path, overridden("c/s", action="in"))

    assert not [*tmp_path.iterdir()]


def test_the_statuses_are_those_of_such_a_verdict() -> None:
    for action, statuses in STATUSES.items():
        verdict = silent("c/s")
        verdict = type(verdict)(
            server="c/s",
            state=verdict.state,
            in_service=False,
            weight=0,
            draining=action == "drain",
        )
        given = [misc_check_status(verdict, dynamic=each) for each in (False, True)]
        assert statuses == f"{given[0]} {given[1]}"


def test_an_override_that_ended_loses_its_file(tmp_path: Path) -> None:
    save(tmp_path, overridden("c/s", "c/t"))
    save(tmp_path, overridden("c/t"))

    assert [each.name for each in tmp_path.glob("*/*")] == ["t"]


def test_the_files_of_other_shards_are_left_alone(tmp_path: Path) -> None:
    save(
        tmp_path,
        overridden("c/s") | {"example": Memory({}, overridden("example/s")["c"].overrides)},
    )

    def save_nothing(shard: Shard) -> None:
        write_override_files(tmp_path, {}, boot_id=BOOT, now=NOW, epoch=EPOCH, shard=shard)

    assert shard_of("c", 2) == Shard(1, 2)
    assert shard_of("example", 2) == Shard(2, 2)
    save_nothing(Shard(2, 2))
    assert [*tmp_path.glob("*/*")] == [tmp_path / "c" / "s"]
    save_nothing(Shard(1, 2))
    assert not [*tmp_path.glob("*/*")]


def test_a_file_that_did_not_change_is_not_written_again(tmp_path: Path) -> None:
    save(tmp_path, overridden("c/s"))
    before = (tmp_path / "c" / "s").stat().st_ino
    save(tmp_path, overridden("c/s"))

    assert (tmp_path / "c" / "s").stat().st_ino == before


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_the_modes_are_those_of_the_state_file_whatever_the_umask_is(
    tmp_path: Path, umask: int
) -> None:
    before = os.umask(umask)
    try:
        save(tmp_path / "overrides", overridden("c/s"))
    finally:
        os.umask(before)

    made = [tmp_path / "overrides", tmp_path / "overrides/c", tmp_path / "overrides/c/s"]
    assert [oct(each.stat().st_mode & 0o777) for each in made] == ["0o750", "0o750", "0o640"]


@pytest.mark.parametrize(
    "name", ["../s", "c/../s", "/etc/s", "c/", "c", "c/.s", "c/s\n", "c/\0", "c/\u00fc", ""]
)
def test_what_is_no_name_of_a_server_is_no_path(tmp_path: Path, name: str) -> None:
    save(tmp_path / "overrides", overridden(name))

    assert not [*tmp_path.rglob("*")]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"ldaphealth1 1 2 1600 c/s\n",
        b"ldaphealth2 1 2 1600 c/s boot 1 x\n",
        b"ldaphealth1 0 102 1600 c/s boot 1 x\n",
        b"ldaphealth1 1 2 1600 c/t boot 1 x\n",
        b"ldaphealth1 1 2 soon c/s 4e6b7a7e-boot 1 x\n",
        bytes(range(256)),
    ],
)
def test_another_file_is_no_override(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "s").write_bytes(content)
    (tmp_path / "c" / "fifo").parent.mkdir(exist_ok=True)
    os.mkfifo(tmp_path / "c" / "fifo")

    assert read_override_files(tmp_path, boot_id=BOOT, now=NOW, epoch=EPOCH) == {}
