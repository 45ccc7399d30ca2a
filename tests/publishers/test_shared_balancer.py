"""The balancer file of several shards: keepalived's script reads it as that of one agent."""

from __future__ import annotations

from pathlib import Path

import pytest

from ldaphealth.clocks import BootSeconds, boot_seconds
from ldaphealth.model import Finding
from ldaphealth.publishers.shared_balancer import SharedBalancerFile
from tests.publishers.test_track_file import ANSWERS, DEAD, decided, fit


class Host:
    """The shards of one host."""

    def __init__(self, directory: Path, count: int) -> None:
        self.path, self.passed = directory / "balancer", 0.0
        shards = [directory / f"shard-{index}" for index in range(1, count + 1)]
        for each in shards:
            each.mkdir()
        self.files = [SharedBalancerFile(self.path, each, shards, self.now) for each in shards]

    def now(self) -> BootSeconds:
        """Return the time of the shards."""
        return boot_seconds() + self.passed

    def publish(self, index: int, finding: Finding, seconds: float = 60.0) -> None:
        """Let a shard publish a round of its only server."""
        self.files[index].publish(decided(finding, seconds=seconds))


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path, 3)


@pytest.mark.parametrize(
    ("findings", "line", "is_fit"),
    [
        ([ANSWERS], "0 ldaphealth1 1 server answers", True),
        ([DEAD], "1 ldaphealth1 0 servers answer", False),
        ([ANSWERS, DEAD], "0 ldaphealth1 1 server answers", True),
        ([DEAD, ANSWERS], "0 ldaphealth1 1 server answers", True),
        ([DEAD, DEAD, DEAD], "1 ldaphealth1 0 servers answer", False),
        ([ANSWERS, ANSWERS, ANSWERS], "0 ldaphealth1 3 servers answer", True),
    ],
)
def test_one_shard_that_reaches_a_server_is_enough(
    host: Host, findings: list[Finding], line: str, is_fit: bool
) -> None:
    for index, finding in enumerate(findings):
        host.publish(index, finding)

    number, until, *words = host.path.read_text().split()
    assert " ".join([number, *words]) == line
    assert float(until) == pytest.approx(boot_seconds() + 60, abs=5)
    assert fit(host.path) is is_fit


def test_a_shard_that_was_killed_counts_no_longer_than_its_part(host: Host) -> None:
    host.publish(0, ANSWERS, 10.0)
    host.publish(1, DEAD, 60.0)
    assert fit(host.path)

    host.passed = 20.0
    host.publish(1, DEAD, 90.0)

    assert not fit(host.path)


def test_it_is_valid_as_long_as_the_shard_that_reaches_a_server(host: Host) -> None:
    host.publish(0, DEAD, 600.0)
    host.publish(1, ANSWERS, 30.0)

    assert float(host.path.read_text().split()[1]) < boot_seconds() + 60


def test_a_shard_that_ends_leaves_the_file_to_the_others_and_the_last_one_removes_it(
    host: Host,
) -> None:
    host.publish(0, ANSWERS)
    host.publish(1, ANSWERS)
    host.files[0].close()
    assert host.path.read_text().endswith("1 server answers\n")

    host.files[2].close()  # it had no cluster
    assert fit(host.path)
    host.files[1].close()
    assert not host.path.exists()


@pytest.mark.parametrize("content", [b"", b"0 x", b"\xff" * 9, b"0 99999999999 ldaphealth1 x\n"])
def test_a_damaged_part_is_none(host: Host, content: bytes) -> None:
    (host.path.parent / "shard-1" / "balancer").write_bytes(content)
    host.publish(1, DEAD)

    assert not fit(host.path)
