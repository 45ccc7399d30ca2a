"""State that the agent keeps over a restart: loaded at its start, saved while it runs.

`assembly.py` calls these functions; store/ has the formats of the files.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ldaphealth.agent.agent import Agent
from ldaphealth.clocks import boot_seconds, epoch_seconds
from ldaphealth.files.set_aside import set_aside
from ldaphealth.guard import Memory
from ldaphealth.shard import WHOLE, Shard
from ldaphealth.store import kept_observations, state_file
from ldaphealth.store.kept_observations import KeptObservations

log = logging.getLogger(__name__)


def load_memories(path: Path, shard: Shard = WHOLE) -> dict[str, Memory]:
    """Return the guard's memories from the state file of a shard: what can be read of it.

    A damaged file is set aside and logged, so that it is not overwritten.
    """
    loaded = state_file.load_state(path, boot_seconds(), shard)
    if loaded.problem:
        memories = loaded.memories.values()
        _set_aside(
            "the state is damaged; what can be read of it is used",
            path,
            loaded.problem,
            overrides=sum(len(each.overrides) for each in memories),
            servers=sum(len(each.servers) for each in memories),
        )
    return dict(loaded.memories)


def restore_observations(agent: Agent, path: Path) -> None:
    """Give the pools the observations of before a restart: what can be read of them."""
    kept = load_observations(path)
    for pool in agent.pools.values():
        pool.recent.recall(kept.of(pool.cluster), current=kept.current)


def load_observations(path: Path) -> KeptObservations:
    """Return the kept observations; a damaged file is set aside and logged."""
    kept = kept_observations.load_kept(path)
    if kept.problem:
        _set_aside(
            "the kept observations are damaged; other delays are counted from now on",
            path,
            kept.problem,
            servers=len(kept.records),
        )
    return kept


def _set_aside(message: str, path: Path, problem: str, **used: int) -> None:
    try:
        kept_as = str(set_aside(path, epoch_seconds()))
    except OSError as error:
        kept_as = f"not set aside: {error}"
    log.error(message, extra={"error": problem, "kept_as": kept_as, **used})


def state_saver(agent: Agent, directory: Path) -> state_file.StateSaver:
    """Start and return the saver of the memories and the kept observations of the agent."""
    save_observations: Callable[[], None] = partial(
        _save_observations, agent, kept_observations.kept_path(directory)
    )
    return state_file.StateSaver(
        state_file.state_path(directory),
        partial(_memories, agent),
        boot_seconds,
        save_observations,
        agent.settings.shard,
    )


def _memories(agent: Agent) -> dict[str, Memory]:
    return {name: pool.memory for name, pool in agent.pools.items()}


def _save_observations(agent: Agent, path: Path) -> None:
    pools = agent.pools.values()
    try:
        kept_observations.save_kept(path, [(pool.cluster, pool.select_kept()) for pool in pools])
    except OSError:
        raise  # the saver logs it, once
    except Exception:  # an error in a third party's check must not end the thread that saves
        log.exception("cannot save the kept observations")
