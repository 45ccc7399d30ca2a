"""The agent of a cluster is found by its name, whatever the number of shards on the host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from ldaphealth.cli.options import AgentPlace
from ldaphealth.cli.places import merged_documents, places_of
from ldaphealth.files.division import write_division
from ldaphealth.shard import WHOLE, Shard, shard_of


class Host:
    """The directories and the configuration of an agent."""

    def __init__(self, directory: Path) -> None:
        self.run, self.state = directory / "run", directory / "state"
        for each in (self.run, self.state):
            each.mkdir()
        self.config = directory / "ldaphealth.yaml"
        self.config.write_text(
            f"agent: {{runtime_directory: {self.run}, state_directory: {self.state}}}\n"
            "clusters: {c: {servers: {s: 'ldap://127.0.0.1:1'}}}\n"
        )
        self.place = AgentPlace(self.run / "agent.sock", self.config)

    def divide(self, directory: Path, count: int, *indexes: int) -> None:
        """Leave what shards with these indexes leave in a directory."""
        write_division(directory, count)
        for each in indexes:
            (directory / f"shard-{each}").mkdir()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.mark.parametrize("target", ["", "c", "c/s"])
def test_without_shards_there_is_one_place(host: Host, target: str) -> None:
    assert places_of(host.place, target) == [host.place]
    assert host.place.shard == WHOLE


@pytest.mark.parametrize("target", ["c", "c/s", "c/no-such-server"])
def test_a_cluster_and_its_servers_are_at_their_shard(host: Host, target: str) -> None:
    host.divide(host.run, 4, 1, 2)
    (found,) = places_of(host.place, target)

    assert found.shard == shard_of("c", 4)
    assert found.socket == host.run / f"shard-{found.shard.index}" / "agent.sock"
    assert found.common_socket == host.place.socket


def test_without_a_cluster_all_shards_of_the_host_are_asked(host: Host) -> None:
    host.divide(host.run, 4, 2, 4, 7)

    assert [each.shard for each in places_of(host.place, "")] == [Shard(2, 4), Shard(4, 4)]


def test_after_a_boot_the_state_says_how_many_there_are(host: Host) -> None:
    host.divide(host.state, 2, 1, 2)

    assert [each.shard for each in places_of(host.place, "")] == [Shard(1, 2), Shard(2, 2)]
    assert places_of(host.place, "c")[0].shard == shard_of("c", 2)


def test_an_agent_of_all_clusters_that_runs_is_asked_whatever_the_state_says(host: Host) -> None:
    host.divide(host.state, 2, 1, 2)
    host.place.socket.touch()

    assert places_of(host.place, "c") == [host.place]


def test_the_state_of_another_agent_says_nothing(host: Host, tmp_path: Path) -> None:
    host.divide(host.state, 2, 1, 2)
    other = AgentPlace(tmp_path / "other" / "agent.sock", host.config)

    assert places_of(other, "c") == [other]


def test_the_socket_of_one_shard_is_used_as_it_is(host: Host) -> None:
    host.divide(host.run, 2, 1, 2)
    own = AgentPlace(host.run / "shard-1" / "agent.sock", host.config)

    assert places_of(own, "") == [own]


def test_an_unknown_number_of_shards_is_one_line(host: Host) -> None:
    (host.run / "shards").write_text("x")

    with pytest.raises(click.ClickException, match=r"/run/shards has no number of shards"):
        places_of(host.place, "c")


def test_the_documents_of_shards_are_one() -> None:
    parts: list[dict[str, Any]] = [
        {"since": "x", "servers": [1, 2], "roles": {"a/s": "provider"}},
        {"since": "x", "servers": [3], "roles": {"b/s": "consumer"}, "more": True},
    ]

    assert merged_documents(parts) == {
        "since": "x",
        "servers": [1, 2, 3],
        "roles": {"a/s": "provider", "b/s": "consumer"},
        "more": True,
    }
    assert merged_documents(parts[:1]) == parts[0]
