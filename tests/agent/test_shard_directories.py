"""Shards share the directories of the agent: those of one division, each once, and no other."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Thread

import pytest

from ldaphealth.agent.assembly import StartError, claim_directories
from ldaphealth.agent.directories import ClaimedDirectory
from ldaphealth.files.division import read_division
from ldaphealth.settings import AgentSettings
from ldaphealth.shard import WHOLE, Shard, shard_of, shards_of

STEP = r"all of them have ended \(`systemctl stop 'ldaphealth-shard@\*'`\)"


@pytest.fixture
def settings(tmp_path: Path) -> AgentSettings:
    return AgentSettings(runtime_directory=tmp_path / "run", state_directory=tmp_path / "state")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def refused(settings: AgentSettings, shard: Shard, reason: str) -> None:
    with ExitStack() as stack, pytest.raises(StartError, match=reason):
        claim_directories(settings, stack, shard)


def test_the_shards_of_one_division_run_side_by_side(
    settings: AgentSettings, stack: ExitStack
) -> None:
    for each in shards_of(4):
        claim_directories(settings, stack, each)

    assert read_division(settings.state_directory) == 4
    assert (settings.runtime_directory / "shards").read_text() == "4\n"
    assert (settings.runtime_directory / "shards").stat().st_mode & 0o777 == 0o644
    assert (settings.runtime_directory / "shard-4").stat().st_mode & 0o777 == 0o755
    assert (settings.state_directory / "shard-4").stat().st_mode & 0o777 == 0o750


def test_shards_that_start_at_the_same_moment_all_start(
    settings: AgentSettings, stack: ExitStack
) -> None:
    failures: list[Exception] = []

    def start(shard: Shard) -> None:
        try:
            claim_directories(settings, stack, shard)
        except Exception as error:
            failures.append(error)

    threads = [Thread(target=start, args=(each,)) for each in shards_of(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)

    assert failures == []


def test_a_shard_that_runs_is_refused_a_second_time(
    settings: AgentSettings, stack: ExitStack
) -> None:
    claim_directories(settings, stack, Shard(2, 4))

    refused(settings, Shard(2, 4), rf"another agent uses .*/run/shard-2 \(process {os.getpid()}\)")


def test_shards_of_another_division_are_refused_and_the_running_ones_named(
    settings: AgentSettings, stack: ExitStack
) -> None:
    claim_directories(settings, stack, Shard(1, 4))
    claim_directories(settings, stack, Shard(3, 4))
    names = rf"/run is used by shard 1/4 \(process \d+\) and 3/4 \(process {os.getpid()}\)"

    refused(settings, Shard(2, 8), f"{names}: shard 2/8 can start when {STEP}")
    refused(settings, WHOLE, f"{names}: an agent of all clusters can start when {STEP}")
    assert read_division(settings.runtime_directory) == 4


def test_beside_an_agent_of_all_clusters_no_shard_starts(
    settings: AgentSettings, stack: ExitStack
) -> None:
    claim_directories(settings, stack)

    refused(settings, Shard(1, 2), rf"another agent uses .*/run \(process {os.getpid()}\)")
    assert not (settings.runtime_directory / "shards").exists()


def test_when_all_have_ended_another_division_starts(settings: AgentSettings) -> None:
    for shard in (Shard(1, 4), Shard(2, 8), WHOLE, Shard(2, 2)):
        with ExitStack() as stack:
            claim_directories(settings, stack, shard)

        found = [
            read_division(each) for each in (settings.runtime_directory, settings.state_directory)
        ]
        assert found == [shard.count] * 2


def test_a_division_that_cannot_be_read_is_no_start(settings: AgentSettings) -> None:
    settings.state_directory.mkdir()
    (settings.state_directory / "shards").write_text("four")

    refused(settings, Shard(1, 4), r"/state/shards has no number of shards: write there how many")


def test_a_link_in_place_of_the_directory_of_a_shard_is_no_start(
    settings: AgentSettings, tmp_path: Path
) -> None:
    settings.runtime_directory.mkdir()
    (settings.runtime_directory / "shard-1").symlink_to(tmp_path)

    refused(settings, Shard(1, 4), r"/run/shard-1 is a symbolic link; remove it")


def test_only_unfinished_files_of_its_own_clusters_are_removed(
    settings: AgentSettings, stack: ExitStack
) -> None:
    mine, other = Shard(1, 2), Shard(2, 2)
    clusters = {shard_of(name, 2): name for name in ("example", "people")}
    claim_directories(settings, stack, other)
    unfinished = {
        shard: [
            settings.verdict_directory / name / ".s.new",
            settings.track_directory / name / ".s.weight.new",
            settings.state_directory / "overrides" / name / ".s.new",
            shard.below(settings.state_directory) / ".state.json.new",
            shard.below(settings.runtime_directory) / ".balancer.new",
        ]
        for shard, name in clusters.items()
    }
    files = {path.with_name("s") for path in unfinished[other]}
    for each in (*unfinished[mine], *unfinished[other], *files):
        each.parent.mkdir(parents=True, exist_ok=True)
        each.touch()

    claim_directories(settings, stack, mine)

    assert [each.exists() for each in unfinished[mine]] == [False] * 5
    assert [each.exists() for each in unfinished[other]] == [True] * 5
    assert all(each.exists() for each in files)


def test_shards_claim_a_runtime_directory_again_that_was_removed(tmp_path: Path) -> None:
    path = tmp_path / "run"
    claimed = [ClaimedDirectory(path, 0o755, each) for each in shards_of(2)]
    shutil.rmtree(path)

    for each in claimed:
        each.claim_again()

    assert read_division(path) == 2
    assert sorted(each.name for each in path.glob("shard-*/*")) == ["agent.lock"] * 2
    settings = AgentSettings(runtime_directory=path, state_directory=tmp_path / "state")
    refused(settings, WHOLE, "/run is used by shard 1/2 ")
    for each in claimed:
        each.close()
