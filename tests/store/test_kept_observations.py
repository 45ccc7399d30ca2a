"""What was first seen when is known again after a restart, and after a boot what is still true."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from ldaphealth.agent.pool import Pool
from ldaphealth.csn import ATTRIBUTE, CSN
from ldaphealth.guard import Memory
from ldaphealth.judging.judge import judge_server
from ldaphealth.model import AnyObservation
from ldaphealth.settings import Cluster
from ldaphealth.store.kept_observations import (
    VERSION,
    KeptObservations,
    kept_path,
    load_kept,
    save_kept,
)
from ldaphealth.store.record_file import MAX_BYTES, boot_id
from ldaphealth.store.state_file import YOUNG_SECONDS
from tests.checks.seen import cluster, planned, saw

START = datetime(2026, 1, 1, tzinfo=UTC)
FOUR = cluster(planned("connect"), planned("replication"), servers=4)
NOW = 1000.0


def csn(after: float) -> str:
    return str(CSN(START + timedelta(seconds=after), 0, 1, 0))


def read(of: str, at: float, after: float) -> AnyObservation:
    facts = {ATTRIBUTE: {"": (csn(after),)}, "observed_epoch_seconds": START.timestamp() + at}
    return saw("replication", facts, of=of, at=at)


def looked(pool: Pool, of: str, at: float, after: float) -> None:
    """Let a pool see what a round at one server saw."""
    for each in (saw("connect", of=of, at=at), read(of, at, after)):
        pool.recent.add(each)


def told(pool: Pool, of: str) -> dict[str, float]:
    """Return the codes of one server's replication, and for how long it has been behind."""
    server = next(each for each in FOUR.servers if each.name == of)
    return {
        found.code: max((m.value for m in found.metrics if m.name == "behind_seconds"), default=0)
        for found in judge_server(pool.cluster, server, pool.recent, one_shot=False)
        if found.check == "replication"
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return kept_path(tmp_path)


@pytest.fixture
def pool() -> Pool:
    """Return a pool of which s3 lacks since 910 what the others have: 90 s before NOW."""
    pool = Pool(FOUR, Memory())
    for at in range(500, 1000, 5):
        for name in ("s0", "s1", "s2"):
            looked(pool, name, at, at if at >= 910 else 0)
        looked(pool, "s3", at, 0)
    return pool


def restarted(path: Path, at: float, asked: Cluster = FOUR) -> Pool:
    """Return a pool as the next agent has it."""
    pool, remembered = Pool(asked, Memory()), load_kept(path, lambda: at)
    pool.recent.recall(remembered.of(asked), current=remembered.current)
    return pool


def saved(pool: Pool, path: Path) -> None:
    save_kept(path, [(pool.cluster, pool.select_kept())], lambda: NOW)


def records(path: Path) -> list[dict[str, Any]]:
    """Return the header and the records of the file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def write_records(path: Path, lines: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(each) + "\n" for each in lines))


def doctored(path: Path, **changes: object) -> None:
    header, *rest = records(path)
    write_records(path, [header | changes, *rest])


def test_without_a_file_nothing_is_known(path: Path) -> None:
    assert load_kept(path) == KeptObservations()


def test_behind_goes_on_after_a_restart_and_does_not_begin_anew(pool: Pool, path: Path) -> None:
    saved(pool, path)
    again = restarted(path, NOW + 10)
    looked(again, "s3", NOW + 10, 0)

    assert told(again, "s3") == {"behind": 100.0}  # before anybody else was looked at again


def test_a_longer_restart_changes_nothing_once_the_others_were_seen(pool: Pool, path: Path) -> None:
    saved(pool, path)
    again = restarted(path, NOW + YOUNG_SECONDS + 80)
    looked(again, "s3", NOW + 200, 0)
    before = told(again, "s3")
    for name in ("s0", "s1", "s2"):
        looked(again, name, NOW + 201, 999)
    looked(again, "s3", NOW + 205, 0)

    assert (before, told(again, "s3")) == ({"ok": 0.0}, {"behind": 295.0})


def test_a_server_that_caught_up_meanwhile_is_not_behind(pool: Pool, path: Path) -> None:
    saved(pool, path)
    again = restarted(path, NOW + 10)
    looked(again, "s3", NOW + 10, 995)

    assert told(again, "s3") == {"ok": 0.0}


@pytest.mark.parametrize("boot", ["the same", "another"])
def test_what_a_server_had_is_known_again_even_after_a_boot(
    pool: Pool, path: Path, boot: str
) -> None:
    saved(pool, path)
    if boot == "another":
        doctored(path, boot_id="another")
    again = restarted(path, NOW + 10)
    for name in ("s0", "s1", "s2", "s3"):
        looked(again, name, NOW + 10, 0)

    assert told(again, "s0") == {"regressed": 0.0}
    assert told(again, "s3") == {"ok": 0.0}


def test_after_another_boot_nothing_is_later_than_this_agent_has_seen(
    pool: Pool, path: Path
) -> None:
    saved(pool, path)
    doctored(path, boot_id="another")
    again = restarted(path, 3.0)
    looked(again, "s3", 4.0, 0)
    before = told(again, "s3")
    for name in ("s0", "s1", "s2"):
        looked(again, name, 4.0, 999)
    looked(again, "s3", 64.0, 0)

    assert (before, told(again, "s3")) == ({"ok": 0.0}, {"behind": 61.0})


def test_a_server_at_another_address_is_another_server(pool: Pool, path: Path) -> None:
    saved(pool, path)
    moved = replace(FOUR.servers[0], uri="ldap://127.0.0.2")
    asked = replace(FOUR, servers=(moved, *FOUR.servers[1:]))
    again = restarted(path, NOW + 10, asked)
    looked(again, "s0", NOW + 10, 0)

    assert told(again, "s0").get("regressed") is None


def test_what_belongs_to_no_cluster_or_check_any_more_is_left(pool: Pool, path: Path) -> None:
    saved(pool, path)
    remembered = load_kept(path, lambda: NOW)

    assert remembered.of(replace(FOUR, name="other")) == []
    assert remembered.of(replace(FOUR, checks=FOUR.checks[:1])) == []
    assert {each.server for each in remembered.of(FOUR)} == {f"c/s{n}" for n in range(4)}


@pytest.mark.parametrize(
    ("name", "kind", "is_known"),
    [
        pytest.param("lag", "replication", True, id="the same"),
        pytest.param("late", "replication", False, id="another name"),
        pytest.param("lag", "propagation", False, id="another kind"),
    ],
)
def test_what_was_seen_is_of_a_check_of_that_name_and_kind(
    path: Path, name: str, kind: str, is_known: bool
) -> None:
    before = replace(
        FOUR, checks=(planned("connect"), replace(planned("replication"), alias="lag"))
    )
    seen = {"lag": {"c/s0": [replace(read("s0", 900.0, 1.0), check="lag")]}}
    save_kept(path, [(before, seen)], now=lambda: NOW)
    known = load_kept(path, now=lambda: NOW + 1)

    params = planned("replication").params
    after = replace(FOUR, checks=(replace(planned(kind, params), alias=name),))
    assert [each.check for each in known.of(after)] == ([name] if is_known else [])


def test_the_file_is_small_whatever_was_read(pool: Pool, path: Path) -> None:
    saved(pool, path)

    assert sum(len(seen) for seen in pool.select_kept()["replication"].values()) <= 10
    assert path.stat().st_size < 4096
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 4096, b"{}", b"null", b"\xff", b"[" * 100_000, b" " * (MAX_BYTES + 10)],
    ids=["empty", "zeros", "no fields", "null", "no UTF-8", "deep", "huge"],
)
def test_a_damaged_file_has_a_problem(path: Path, content: bytes) -> None:
    path.write_bytes(content)

    kept = load_kept(path)

    assert kept.of(FOUR) == []
    assert kept.problem.startswith(f"{path}: ")


def test_of_another_version_the_records_that_are_known_are_used(pool: Pool, path: Path) -> None:
    saved(pool, path)
    doctored(path, version=VERSION + 1)

    kept = load_kept(path, lambda: NOW)

    assert kept.problem == f"{path}: version {VERSION + 1}; this program knows {VERSION}"
    assert {each.server for each in kept.of(FOUR)} == {f"c/s{n}" for n in range(4)}


def test_of_a_file_that_is_cut_off_the_other_servers_are_used(pool: Pool, path: Path) -> None:
    saved(pool, path)
    path.write_bytes(path.read_bytes()[:-20])

    kept = load_kept(path, lambda: NOW)

    assert "1 of 4 records damaged" in kept.problem
    assert len({each.server for each in kept.of(FOUR)}) == 3


def test_a_file_of_version_0_1_is_known_again(pool: Pool, path: Path) -> None:
    saved(pool, path)
    of: dict[str, Any] = {
        each["server"]: {"uri": each["uri"], "reads": each["reads"]} for each in records(path)[1:]
    }
    document = {
        "version": 1,
        "boot_id": boot_id(),
        "at": NOW,
        "clusters": {"c": {"replication": of}},
    }
    before = load_kept(path, lambda: NOW)
    path.write_text(json.dumps(document))

    after = load_kept(path, lambda: NOW)

    assert after.of(FOUR) == before.of(FOUR)
    assert (after.problem, after.current) == ("", True)


def test_what_could_not_be_read_again_is_not_written(path: Path) -> None:
    huge = saw("replication", {ATTRIBUTE: {"": ["y" * (MAX_BYTES + 1)]}})

    with pytest.raises(OSError, match="larger than"):
        save_kept(path, [(FOUR, {"replication": {"c/s0": [huge]}})])
    assert not path.exists()


@pytest.mark.parametrize("opening", ["[", '{"a":'], ids=["lists", "objects"])
@pytest.mark.parametrize("depth", [300, 700, 900, 990, 5000])
def test_facts_that_nest_deeply_are_no_end_of_the_agent(
    pool: Pool, path: Path, opening: str, depth: int
) -> None:
    saved(pool, path)
    closing = "]" if opening == "[" else "}"
    nested = opening * depth + "1" + closing * depth
    text = path.read_text().replace('"facts":{', f'"facts":{{"deep":{nested},', 1)
    path.write_text(text)
    load_kept(path).of(FOUR)


def test_what_was_never_written_is_left_out(pool: Pool, path: Path) -> None:
    saved(pool, path)
    header, *kept = records(path)
    of = {each["server"]: each for each in kept}
    of["c/s0"]["reads"][-1]["started_at"] = NOW + 1e6  # then nobody would ever be behind
    of["c/s1"]["reads"] = of["c/s2"]["reads"]
    write_records(path, [header, *kept])

    found = load_kept(path, lambda: NOW + 10).of(FOUR)
    assert {each.server for each in found} == {"c/s0", "c/s2", "c/s3"}
    assert all(each.ended_at <= NOW for each in found)
