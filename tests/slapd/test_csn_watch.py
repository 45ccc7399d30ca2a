"""`ldaphealth csn watch` beside a real cluster: everybody level, one cut off, one dead."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from demo.cluster import Cluster
from demo.writes import steady_writes

pytestmark = pytest.mark.slapd


def watched(config: Path, *options: str) -> str:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "ldaphealth",
            "csn",
            "watch",
            "c",
            "--config",
            config,
            "--every",
            "0.5",
            *options,
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def of(matrix: dict[str, Any], server: str) -> dict[str, Any]:
    found: dict[str, Any] = next(e for e in matrix["servers"] if e["server"] == f"c/{server}")
    return found


def test_a_level_cluster_reads_so(cluster: Cluster, config: Path) -> None:
    cluster.wait_until_level()
    text = watched(config)

    assert text.count(" level") == 4
    assert "ID 001" in text
    assert text.count("Persist") == 4


def test_one_that_is_cut_off_is_behind_and_one_that_is_dead_says_why(
    cluster: Cluster, config: Path
) -> None:
    cluster.nodes[3].cut_replication()
    cluster.nodes[2].kill()
    cluster.nodes[0].write()
    with steady_writes(cluster.nodes[0], pause_seconds=0.1):
        matrix = json.loads(watched(config, "--count", "4", "--format", "json"))

    assert of(matrix, "ldap4")["positions"]["001"]["behind_seconds"] > 0.5
    assert of(matrix, "ldap3")["trouble"].startswith("cannot connect to ")
    assert of(matrix, "ldap1")["positions"]["001"]["behind_seconds"] == 0
    assert of(matrix, "ldap4")["phase"] == "not connected"
    assert of(matrix, "ldap1")["phase"] == "2 Persist, 1 not connected"
    assert {(each["provider"], each["phase"]) for each in of(matrix, "ldap1")["links"]} == {
        (cluster.nodes[1].uri, "Persist"),
        (cluster.nodes[2].uri, "not connected"),
        (cluster.nodes[3].uri, "Persist"),
    }
    assert of(matrix, "ldap3")["phase"] == ""
