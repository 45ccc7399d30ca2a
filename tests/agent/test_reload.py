"""A server that a reload removes is no longer published, from that moment on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo import wait
from ldaphealth.agent.agent import Agent
from ldaphealth.live.live_state import LiveState
from ldaphealth.model import AnyObservation, Observation, Server
from ldaphealth.publishers.track_file import TrackFiles
from ldaphealth.publishers.verdict_file import VerdictFiles
from ldaphealth.settings import AgentSettings, Cluster, Settings
from tests.checks.seen import planned

PATIENCE_SECONDS = 10.0
INTERVAL_SECONDS = 0.1


def cluster(name: str, **uris: str) -> Cluster:
    servers = tuple(Server(cluster=name, name=each, uri=uri) for each, uri in uris.items())
    return Cluster(
        name=name,
        servers=servers,
        checks=(planned("connect"),),
        min_in_service=0,
        interval_seconds=INTERVAL_SECONDS,
    )


class Stage:
    """An agent that runs, and its publishers that keep something.

    From the first reload on it sees nothing. What is published then is from before.
    """

    def __init__(self, directory: Path, *clusters: Cluster) -> None:
        self.directory, self.live_state = directory, LiveState()
        self.sees = True
        self.agent = Agent(
            self.settings(*clusters),
            [self.live_state, VerdictFiles(directory / "v"), TrackFiles(directory / "t")],
            probe=self._probe,
        )
        self.thread = threading.Thread(target=self.agent.run)
        self.thread.start()

    def settings(self, *clusters: Cluster) -> Settings:
        """Return the configuration with these clusters."""
        ours = AgentSettings(runtime_directory=self.directory, state_directory=self.directory)
        return Settings({each.name: each for each in clusters}, ours)

    def reload(self, *clusters: Cluster) -> None:
        """Go on with these clusters."""
        self.sees = False
        asked = self.agent.submit(lambda: self.agent.reconfigure(self.settings(*clusters)))
        asked.result(PATIENCE_SECONDS)

    def _probe(self, server: Server, *_: object) -> list[AnyObservation]:
        return (
            [
                Observation(
                    server=server.id,
                    check="connect",
                    started_at=0.0,
                    duration_seconds=0.001,
                    timings={},
                )
            ]
            if self.sees
            else []
        )

    def in_live_state(self) -> set[str]:
        """Return the servers in the live state."""
        return {server for server, _ in self.live_state.view.servers()}

    def in_files(self) -> set[str]:
        """Return the files that there are, by their names below both directories."""
        found = (path for path in self.directory.rglob("*") if path.is_file())
        return {"/".join(path.parts[-3:]) for path in found}


Staged = Callable[..., Stage]


@pytest.fixture
def staged(tmp_path: Path) -> Iterator[Staged]:
    made: list[Stage] = []

    def start(*clusters: Cluster) -> Stage:
        stage = Stage(tmp_path, *clusters)
        made.append(stage)
        every = {server.id for each in clusters for server in each.servers}
        wait.until(lambda: stage.in_live_state() == every, PATIENCE_SECONDS, "not looked at")
        return stage

    yield start
    for stage in made:
        stage.agent.stop()
        stage.thread.join(PATIENCE_SECONDS)


C = cluster("c", a="ldap://192.0.2.1", b="ldap://192.0.2.2")
D = cluster("d", x="ldap://192.0.2.3")


def files(*servers: str) -> set[str]:
    return {f"t/{each}{end}" for each in servers for end in (".weight", ".fault")} | {
        f"v/{each}" for each in servers
    }


def test_a_cluster_that_is_gone(staged: Staged) -> None:
    stage = staged(C, D)
    wait.until(lambda: stage.in_files() == files("c/a", "c/b", "d/x"), 10.0, "files are missing")
    stage.reload(C)

    assert set(stage.live_state.view.clusters) == {"c"}
    assert stage.in_files() == files("c/a", "c/b")


def test_a_server_that_is_gone(staged: Staged) -> None:
    stage = staged(C)
    stage.reload(cluster("c", a="ldap://192.0.2.1"))

    assert stage.in_live_state() == {"c/a"}
    assert stage.in_files() == files("c/a")


def test_another_server_under_the_same_name_does_not_inherit_a_verdict(staged: Staged) -> None:
    stage = staged(C)
    stage.reload(cluster("c", a="ldap://192.0.2.1", b="ldap://192.0.2.99"))

    assert stage.in_live_state() == {"c/a"}
    assert stage.in_files() == files("c/a")
    assert set(stage.agent.valid_seconds()) == {"c/a"}


def test_servers_that_stay_keep_their_verdicts(staged: Staged) -> None:
    stage = staged(C, D)
    stage.reload(C, D)

    assert stage.in_live_state() == {"c/a", "c/b", "d/x"}
    assert stage.in_files() == files("c/a", "c/b", "d/x")
