"""The files that keepalived reads, and the balancer's file with the script that reads it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ldaphealth.clocks import boot_seconds
from ldaphealth.model import Finding, State, Trust, Verdict
from ldaphealth.publishers.publication import Publication
from ldaphealth.publishers.track_file import BalancerFile, TrackFiles, fault, weight

SCRIPT = Path(__file__).parents[2] / "keepalived" / "ldaphealth-fit"


def verdict(in_service: bool, its_weight: int, *, draining: bool = False) -> Verdict:
    return Verdict(
        server="c/s", state=State.OK, in_service=in_service, weight=its_weight, draining=draining
    )


def decided(*findings: Finding, server: str = "c/s", seconds: float = 60.0) -> Publication:
    said = Verdict(server=server, state=State.OK, in_service=True, weight=100, findings=findings)
    return Publication(
        cluster="c",
        verdicts={server: said},
        due={server: boot_seconds() + seconds},
        changes=(),
        seen=(),
    )


ANSWERS = Finding(server="c/s", check="connect", state=State.OK, code="ok", summary="connected")
DEAD = Finding(
    server="c/s",
    check="connect",
    state=State.CRITICAL,
    code="connect",
    summary="refused",
    metrics=(),
    trust=Trust.HARD,
)
BLIND = Finding(
    server="c/s",
    check="connect",
    state=State.UNKNOWN,
    code="resolve",
    summary="no route",
    metrics=(),
    trust=Trust.LOCAL,
)


@pytest.mark.parametrize(
    ("said", "numbers"),
    [
        pytest.param(verdict(True, 100), (0, 0), id="in service"),
        pytest.param(verdict(True, 50), (-50, 0), id="at half its weight"),
        pytest.param(verdict(True, 253), (153, 0), id="at the highest weight"),
        pytest.param(verdict(False, 0), (-100, 1), id="out"),
        pytest.param(verdict(False, 0, draining=True), (-100, 0), id="drained"),
    ],
)
def test_the_files_say_what_to_add_and_whether_to_remove(
    said: Verdict, numbers: tuple[int, int]
) -> None:
    assert (weight(said), fault(said)) == numbers


def test_the_files_are_where_the_example_says(tmp_path: Path) -> None:
    TrackFiles(tmp_path).publish(decided(ANSWERS))

    assert (tmp_path / "c" / "s.weight").read_text() == "0\n"
    assert (tmp_path / "c" / "s.fault").read_text() == "0\n"


def fit(path: Path) -> bool:
    done = subprocess.run(
        ["/bin/sh", SCRIPT], env={"LDAPHEALTH_BALANCER": str(path)}, timeout=5, check=False
    )
    assert done.returncode in (0, 1)
    return done.returncode == 0


@pytest.mark.parametrize(("finding", "expected"), [(ANSWERS, True), (DEAD, False), (BLIND, False)])
def test_a_balancer_that_sees_no_server_is_unfit(
    tmp_path: Path, finding: Finding, expected: bool
) -> None:
    path = tmp_path / "balancer"
    BalancerFile(path).publish(decided(finding))

    assert fit(path) is expected
    assert path.read_text().split()[0] == str(int(not expected))  # what a track_file reads


def test_one_cluster_that_answers_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "balancer"
    file = BalancerFile(path)
    file.publish(decided(ANSWERS))
    file.publish(
        Publication(cluster="d", verdicts={}, due={"d/s": boot_seconds() + 60}, changes=(), seen=())
    )

    assert fit(path)


def test_a_balancer_whose_agent_is_gone_is_unfit(tmp_path: Path) -> None:
    path = tmp_path / "balancer"
    file = BalancerFile(path)
    file.publish(decided(ANSWERS, seconds=-5.0))
    assert not fit(path)

    file.publish(decided(ANSWERS))
    assert fit(path)
    file.close()
    assert not fit(path)


@pytest.mark.parametrize(
    "content", [b"", b"0", b"0 x", b"x 99999999999", b"\0" * 100, b"0 9" + b"9" * 99]
)
def test_a_broken_file_is_unfit(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "balancer"
    path.write_bytes(content)

    assert not fit(path)


def test_a_decision_without_a_round_leaves_the_balancer_fit(tmp_path: Path) -> None:
    publisher = BalancerFile(tmp_path / "balancer")
    publisher.publish(decided(ANSWERS))
    before = decided(ANSWERS)
    publisher.publish(
        Publication(cluster="c", verdicts=before.verdicts, due={}, changes=(), seen=())
    )  # `drain` said a second time

    assert fit(tmp_path / "balancer")


def test_a_cluster_that_a_reload_removed_keeps_nobody_fit(tmp_path: Path) -> None:
    now = boot_seconds()
    clock = iter([now, now + 61])
    publisher = BalancerFile(tmp_path / "balancer", lambda: next(clock))
    gone = decided(ANSWERS, server="gone/s")
    publisher.publish(
        Publication(cluster="gone", verdicts=gone.verdicts, due=gone.due, changes=(), seen=())
    )
    publisher.publish(decided(DEAD, seconds=200.0))

    assert not fit(tmp_path / "balancer")


def test_what_is_no_regular_file_holds_nothing_up(tmp_path: Path) -> None:
    fifo, link = tmp_path / "fifo", tmp_path / "link"
    os.mkfifo(fifo)
    link.symlink_to("/dev/zero")

    assert not fit(fifo)
    assert not fit(link)


def test_the_script_has_a_help_and_is_silent_without_a_terminal(tmp_path: Path) -> None:
    shown = subprocess.run(
        [SCRIPT, "--help"], capture_output=True, text=True, timeout=10, check=False
    )
    unfit = subprocess.run(
        [SCRIPT],
        env={"LDAPHEALTH_BALANCER": str(tmp_path / "none")},
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )

    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith("Usage: ldaphealth-fit")
    assert (unfit.returncode, unfit.stdout, unfit.stderr) == (1, "", "")
