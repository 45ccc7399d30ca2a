"""State that the agent keeps over a restart: loaded at its start, saved while it runs.

`assembly.py` calls these functions; store/ has the formats of the files.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ldaphealth.agent.agent import Agent
from ldaphealth.clocks import boot_seconds
from ldaphealth.guard import Memory
from ldaphealth.store import kept_observations, state_file

log = logging.getLogger(__name__)


def load_memories(path: Path) -> dict[str, Memory]:
    """Return the guard's memories from the state file. A broken file is logged and not used."""
    try:
        return state_file.load_state(path, boot_seconds())
    except (ValueError, OSError) as error:
        message = "cannot load the state; verdicts and overrides are lost"
        log.error(message, extra={"error": str(error)})  # noqa: TRY400
        return {}


def restore_observations(agent: Agent, path: Path) -> None:
    """Give the pools the observations of before a restart. A broken file is logged, not used."""
    try:
        kept = kept_observations.load_kept(path)
    except (ValueError, OSError) as error:
        message = "cannot load the kept observations; delays are counted from now on"
        log.warning(message, extra={"error": str(error)})
        return
    for pool in agent.pools.values():
        pool.recent.recall(kept.of(pool.cluster), current=kept.current)


def state_saver(agent: Agent, state: Path, observations: Path) -> state_file.StateSaver:
    """Start and return the saver of the memories and the kept observations of the agent."""
    save_observations: Callable[[], None] = partial(_save_observations, agent, observations)
    return state_file.StateSaver(state, partial(_memories, agent), boot_seconds, save_observations)


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
