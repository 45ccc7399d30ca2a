"""What the examinations get: facts of the servers and of this host, without an opinion."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct

from ldaphealth.doctor.clock import ClockReading
from ldaphealth.doctor.host_files import HostFile
from ldaphealth.doctor.keepalived_conf import KeepalivedConf
from ldaphealth.model import AnyObservation, Finding, Server
from ldaphealth.settings import AgentSettings, Cluster
from ldaphealth.shard import WHOLE, Shard


class Round(Struct, frozen=True):
    """One session with a server: its observations, and the findings on them alone."""

    server: str
    observations: tuple[AnyObservation, ...]
    findings: tuple[Finding, ...]


class ServerReads(Struct, frozen=True, kw_only=True):
    """What the checks do not read of a server.

    `has_monitor`: its root DSE names a monitor database; None if it cannot be read. `marks` are
    the marks of canaries by the DN of their container, of all agents as far as the account sees
    them; without a container that it may not list. `owners` are those of this agent's canaries
    that no round reads, by DN: those of `propagation`, and of consumers.
    """

    is_openldap: bool = False
    has_monitor: bool | None = None
    clock: ClockReading | None = None
    marks: Mapping[str, tuple[str, ...]] = {}
    owners: Mapping[str, str] = {}


class ClusterFacts(Struct, frozen=True, kw_only=True):
    """What was observed of one cluster.

    `findings` are those of a one-shot check and of the surveys. `rounds` are the sessions, oldest
    first. `latency` are the findings of checks of that kind on all rounds together. `not_surveyed`
    has the names of surveys that were not run, with the reason.
    """

    cluster: Cluster
    findings: tuple[Finding, ...] = ()
    rounds: tuple[Round, ...] = ()
    latency: tuple[Finding, ...] = ()
    reads: Mapping[str, ServerReads] = {}
    clocks: Mapping[str, ClockReading] = {}
    not_surveyed: Mapping[str, str] = {}

    def findings_on(self, server: Server) -> tuple[Finding, ...]:
        """Return the findings on one server."""
        return tuple(each for each in self.findings if each.server == server.id)

    @property
    def reached(self) -> tuple[Server, ...]:
        """Return the servers with a session that bound and ended in order."""
        complete = {
            each.server
            for each in self.rounds
            if each.observations
            and each.observations[-1].check == "unbind"
            and each.observations[-1].failure is None
        }
        return tuple(each for each in self.cluster.servers if each.id in complete)


class LocalAgent(Struct, frozen=True, kw_only=True):
    """The agent of the configuration on this host.

    `state` is that of its control socket; `detail` is why it does not answer. `servers` are those
    that it checks, and `shards` are those of this host. `holders` are the IDs of the processes that
    hold the lock of a directory, by its path; a lock that shards share has none.
    """

    state: Literal["answers", "none", "unknown"]
    detail: str = ""
    servers: frozenset[str] = frozenset()
    shards: tuple[Shard, ...] = (WHOLE,)
    holders: Mapping[str, int] = {}


class Gathered(Struct, frozen=True, kw_only=True):
    """All that was gathered. `keepalived` is None without a file; then `no_keepalived` is why."""

    config_file: Path
    agent_settings: AgentSettings
    clusters: tuple[ClusterFacts, ...]
    agent: LocalAgent
    files: tuple[HostFile, ...] = ()
    keepalived: KeepalivedConf | None = None
    no_keepalived: str = ""
