"""What the agent remembers across a restart: read at its start, saved while it runs.

`assembly.py` calls these functions; store/ has the form of the files.
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


def remembered_memories(path: Path) -> dict[str, Memory]:
    """Return the guard's memories from the state file; a broken file is logged and set aside."""
    try:
        return state_file.load_state(path, boot_seconds())
    except (ValueError, OSError) as error:
        log.error("the state is lost: overrides too", extra={"error": str(error)})  # noqa: TRY400
        return {}


def recall_observations(agent: Agent, path: Path) -> None:
    """Give the pools what was seen before a restart; a broken file is logged and not used."""
    try:
        remembered = kept_observations.load_kept(path)
    except (ValueError, OSError) as error:
        log.warning("since when servers lack changes is not known", extra={"error": str(error)})
        return
    for pool in agent.pools.values():
        pool.recent.recall(remembered.of(pool.cluster), current=remembered.current)


def state_saver(agent: Agent, state: Path, observations: Path) -> state_file.StateSaver:
    """Return the thread that saves the memories and the observations of the agent."""
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
    except Exception:  # a third party's mistake must not end the thread that saves everything
        log.exception("what was read cannot be saved")
