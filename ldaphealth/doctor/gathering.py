"""Gather the facts: try all clusters, and read what this host has of the agent and keepalived."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from msgspec import Struct

from ldaphealth.control.client import AgentError, NoAgentError, send_request
from ldaphealth.control.requests import StatusRequest
from ldaphealth.doctor.facts import Gathered, LocalAgent
from ldaphealth.doctor.host_files import host_files, lock_holder
from ldaphealth.doctor.keepalived_conf import KeepalivedConf, read_conf
from ldaphealth.doctor.trial import try_cluster
from ldaphealth.files.division import DivisionError, shards_here
from ldaphealth.settings import AgentSettings, Settings
from ldaphealth.shard import WHOLE, Shard

KEEPALIVED = Path("/etc/keepalived/keepalived.conf")
MOST_AT_ONCE = 8  # clusters
ANSWER_SECONDS = 5.0  # of the control socket


class Sources(Struct, frozen=True, kw_only=True):
    """What is examined. `no_keepalived` is why there is no keepalived.conf."""

    settings: Settings
    config_file: Path
    keepalived: KeepalivedConf | None = None
    no_keepalived: str = ""


def gather(sources: Sources, note: Callable[[str], None] = lambda _: None) -> Gathered:
    """Return the facts.

    `note` gets the ID of each server that has answered. Nothing but canaries is written to.
    """
    settings = sources.settings
    agent = local_agent(settings.agent)
    clusters = [*settings.clusters.values()]
    with ThreadPoolExecutor(max(1, min(MOST_AT_ONCE, len(clusters))), "cluster") as pool:
        tried = pool.map(
            lambda each: try_cluster(each, note, agent_runs=agent.state == "answers"), clusters
        )
        return Gathered(
            config_file=sources.config_file,
            agent_settings=settings.agent,
            clusters=tuple(tried),
            agent=agent,
            files=host_files(settings.agent, clusters),
            keepalived=sources.keepalived,
            no_keepalived=sources.no_keepalived,
        )


def local_agent(agent: AgentSettings) -> LocalAgent:
    """Return whether the agent of this configuration answers, and who holds its directories."""
    runtime, state = agent.runtime_directory, agent.state_directory
    shards = _shards(runtime)
    # A lock that shards share has no one holder, and they refuse another agent at its start.
    directories = () if len(shards) > 1 or not shards[0].is_whole else (runtime, state)
    holders = {str(each): holder for each in directories if (holder := lock_holder(each))}
    servers: frozenset[str] = frozenset()
    try:
        for shard in shards:
            socket = shard.below(runtime) / agent.socket_path.name
            status = send_request(socket, StatusRequest(), ANSWER_SECONDS)
            servers |= {*map(str, status["roles"])}  # a verdict comes with the first round
    except NoAgentError as error:
        return LocalAgent(state="none", detail=str(error), holders=holders)
    except AgentError as error:
        return LocalAgent(state="unknown", detail=str(error), holders=holders)
    except (KeyError, TypeError):
        detail = f"{agent.socket_path}: the response is not from an agent of this version"
        return LocalAgent(state="unknown", detail=detail, holders=holders)
    return LocalAgent(state="answers", servers=servers, holders=holders, shards=(*shards,))


def _shards(runtime_directory: Path) -> list[Shard]:
    """Return the shards of the agent on this host; if that is not known, the whole."""
    try:
        return shards_here(runtime_directory) or [WHOLE]
    except (DivisionError, OSError):
        return [WHOLE]


def keepalived_conf(path: Path | None) -> tuple[KeepalivedConf | None, str]:
    """Return what a keepalived.conf has, or why it is not examined; OSError: a named one.

    None: the usual file, if it can be read.
    """
    try:
        return read_conf(path or KEEPALIVED), ""
    except OSError as error:
        if path is not None:
            raise
        return None, f"{KEEPALIVED}: {error.strerror}"
