"""The directories of the agent: whose they are, what is in them, and when they are removed."""

from __future__ import annotations

import logging
import os
import shutil
import stat
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from ldaphealth.agent.assembly import StartError, claim_directories
from ldaphealth.agent.directories import ClaimedDirectory, DirectoryError
from ldaphealth.files.own_directory import READABLE
from ldaphealth.settings import AgentSettings
from tests.files.limits import umask

NOBODY = 65534


@pytest.fixture
def settings(tmp_path: Path) -> AgentSettings:
    return AgentSettings(runtime_directory=tmp_path / "run", state_directory=tmp_path / "state")


def claim(settings: AgentSettings) -> None:
    with ExitStack() as stack:
        claim_directories(settings, stack)


@pytest.mark.parametrize("bits", [0o000, 0o022, 0o077])
def test_nobody_else_can_write_and_keepalived_can_read_whatever_the_umask(
    settings: AgentSettings, bits: int
) -> None:
    with umask(bits):
        claim(settings)

    directories = (
        settings.runtime_directory,
        settings.verdict_directory,
        settings.state_directory,
    )
    assert [stat.S_IMODE(each.stat().st_mode) for each in directories] == [0o755, 0o755, 0o750]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
@pytest.mark.parametrize("name", ["run", "state", "run/verdicts", "run/verdicts/c", "run/track/c"])
def test_a_directory_of_another_user_is_no_start(
    settings: AgentSettings, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).mkdir(parents=True)
    os.chown(tmp_path / name, NOBODY, NOBODY)

    with pytest.raises(StartError, match=rf"/{name} belongs to nobody, but the agent runs as root"):
        claim(settings)


@pytest.mark.parametrize("name", ["run/verdicts", "run/verdicts/c", "run/track", "run/track/c"])
def test_a_link_below_the_runtime_directory_is_no_start(
    settings: AgentSettings, tmp_path: Path, name: str
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(StartError, match=rf"/{name} is a symbolic link; remove it"):
        claim(settings)


@pytest.mark.parametrize("name", ["run", "state"])
@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (os.mkfifo, "a FIFO"),
        (Path.mkdir, "a directory"),
        (lambda path: path.symlink_to("x"), "a symbolic link"),
    ],
)
def test_a_lock_that_is_no_file_is_no_start_and_never_waited_for(
    settings: AgentSettings,
    tmp_path: Path,
    name: str,
    make: Callable[[Path], object],
    kind: str,
) -> None:
    (tmp_path / name).mkdir()
    make(tmp_path / name / "agent.lock")

    with pytest.raises(StartError, match=rf"/{name}/agent.lock: is {kind}, not a regular file"):
        claim(settings)


def test_what_a_killed_agent_had_not_finished_is_removed_and_logged(
    settings: AgentSettings, caplog: pytest.LogCaptureFixture
) -> None:
    claim(settings)
    unfinished = [
        settings.runtime_directory / ".balancer.new",
        settings.state_directory / ".state.json.new",
        settings.verdict_directory / "c" / ".ldap1.new",
        settings.track_directory / "c" / ".ldap1.weight.new",
    ]
    kept = [each.with_name(each.name.strip(".")) for each in unfinished]
    for each in (*unfinished, *kept):
        each.parent.mkdir(parents=True, exist_ok=True)
        each.touch()

    with caplog.at_level(logging.INFO):
        claim(settings)
        claim(settings)

    assert not any(each.exists() for each in unfinished)
    assert all(each.exists() for each in kept)
    assert [each.__dict__["files"] for each in caplog.records] == [4]


@pytest.mark.parametrize("how", ["removed", "moved", "made again"])
def test_a_directory_that_is_gone_is_claimed_again(tmp_path: Path, how: str) -> None:
    path = tmp_path / "run"
    with closing(ClaimedDirectory(path, READABLE)) as claimed:
        if how == "moved":
            path.rename(tmp_path / "moved")
        else:
            shutil.rmtree(path)
        if how == "made again":
            path.mkdir()
        with umask(0o077):
            claimed.claim_again()

        assert stat.S_IMODE(path.stat().st_mode) in {0o755, 0o700 if how == "made again" else 0o755}
        with pytest.raises(DirectoryError, match="another agent uses"):
            ClaimedDirectory(path, READABLE)


def test_a_directory_that_another_agent_claimed_meanwhile_is_its_own(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with closing(ClaimedDirectory(path, READABLE)) as first:
        shutil.rmtree(path)
        with closing(ClaimedDirectory(path, READABLE)):
            for _ in range(2):
                with pytest.raises(DirectoryError, match="another agent uses"):
                    first.claim_again()
        first.claim_again()
