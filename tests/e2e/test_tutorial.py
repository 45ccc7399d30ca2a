"""The tutorial, command by command: from a running cluster to keepalived on two balancers."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.e2e import guest, tutorial

MOST_COMMANDS = 10
MOST_SECONDS = 300.0  # of all commands, one of which measures for a minute
SECONDS = 600.0

pytestmark = pytest.mark.e2e


def test_ten_commands_protect_a_cluster_on_two_balancers(tmp_path: Path) -> None:
    assert len(tutorial.commands()) <= MOST_COMMANDS
    try:
        finished = guest.run(
            [sys.executable, "-m", "tests.e2e.tutorial", "--results", "/run/results"],
            tmp_path,
            environment={"TMPDIR": "/run"},
            modules=["ip_vs", "ip_vs_wlc", "bridge", "veth"],
            seconds=SECONDS,
        )
    except guest.CannotRunError as error:
        pytest.skip(f"User-Mode Linux does not run here: {error}")
    assert finished.status == 0, finished.output
    seen = json.loads((tmp_path / "tutorial.json").read_text())

    assert [each for each in seen["commands"] if each["status"]] == []
    assert len(seen["commands"]) == sum(len(hosts) for hosts, _ in tutorial.commands())
    assert seen["seconds"] < MOST_SECONDS
    assert seen["in"], seen["weights"]
    assert seen["out"], seen["weights"]
    assert "3 of 4 servers in service, 1 critical: " in seen["status"], seen["status"]
    assert len(seen["has_address"]) == 1
    assert seen["back"], seen["weights"]
