"""Divide the state anew when the number of shards changes, so that no override is lost.

The first agent of the new division calls it, while no other agent can run (directories.py). The
history and the journal of a shard stay with it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ldaphealth.agent.restart import load_memories, load_observations
from ldaphealth.clocks import boot_seconds
from ldaphealth.files.division import shard_directories
from ldaphealth.files.own_directory import PRIVATE, make_directory
from ldaphealth.guard import Memory
from ldaphealth.shard import Shard, shards_of
from ldaphealth.store.kept_observations import KeptObservations, kept_path, save_part
from ldaphealth.store.state_file import save_state, state_path

log = logging.getLogger(__name__)

PATHS: tuple[Callable[[Path], Path], ...] = (state_path, kept_path)


def divide_state(directory: Path, before: int, now: int) -> None:
    """Give each shard the state of its clusters; OSError.

    Until the new division is noted the old one counts. So each file also keeps the clusters that
    it had, and a process that is killed meanwhile has lost nothing.
    """
    memories: dict[str, Memory] = {}
    kept: list[KeptObservations] = []
    for shard in shards_of(before):
        old = shard.below(directory)
        memories |= load_memories(state_path(old), shard)
        kept.append(load_observations(kept_path(old)).part(shard.holds))
    if not memories and not any(each.records for each in kept):
        return
    for shard in shards_of(now):
        has = partial(_has, shard, Shard(shard.index, before))
        new = shard.below(directory)
        make_directory(new, PRIVATE)
        of_shard = {name: each for name, each in memories.items() if has(name)}
        save_state(state_path(new), of_shard, boot_seconds(), shard)
        save_part(kept_path(new), kept, has)
    message = "the state is divided anew; each history and journal stays where it is"
    log.warning(message, extra={"shards_before": before, "shards": now})


def forget_other_states(directory: Path, shards: int) -> None:
    """Remove the state that an agent of an earlier division left; it is in the files of this one.

    OSError: one cannot be removed.
    """
    ours = {each.below(directory) for each in shards_of(shards)}
    for each in {directory, *shard_directories(directory)} - ours:
        for path in PATHS:
            path(each).unlink(missing_ok=True)


def _has(now: Shard, before: Shard, cluster: str) -> bool:
    return now.holds(cluster) or before.holds(cluster)
