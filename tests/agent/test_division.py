"""No override, and nothing else of the state, is lost or comes back when the shards are others."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.agent.division import divide_state, forget_other_states
from ldaphealth.agent.restart import load_memories
from ldaphealth.checks import find
from ldaphealth.clocks import boot_seconds
from ldaphealth.guard import Memory, Override
from ldaphealth.guard.memory import ServerMemory
from ldaphealth.model import OverrideAction
from ldaphealth.shard import Shard, shard_of, shards_of
from ldaphealth.store.kept_observations import KeptObservations, kept_path, load_kept, save_kept
from ldaphealth.store.override_files import override_directory
from ldaphealth.store.state_file import save_state, state_path
from tests.checks.seen import cluster, planned, saw

CLUSTERS = [f"c{number}" for number in range(12)]
ACTIONS: tuple[OverrideAction, ...] = ("drain", "in", "out")
Orders = Mapping[str, OverrideAction]


class Site:
    """A state directory, and what its agents do: they end, others start, operators give orders."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.count = directory, 1

    def start(self, count: int) -> None:
        """Let the first agent of a division start."""
        if count != self.count:
            divide_state(self.directory, self.count, count)
        forget_other_states(self.directory, count)
        self.count = count

    def save(self, orders: Orders) -> None:
        """Let every shard save these overrides of its clusters, by its server `s`."""
        now = boot_seconds()
        memories = {
            name: Memory(
                {f"{name}/s": ServerMemory(in_service=False, since=now)},
                {f"{name}/s": Override(orders[name], now + 600, "x", "alice")}
                if name in orders
                else {},
            )
            for name in CLUSTERS
        }
        for shard in shards_of(self.count):
            own = {name: each for name, each in memories.items() if shard.holds(name)}
            path = state_path(shard.below(self.directory))
            path.parent.mkdir(exist_ok=True)
            save_state(path, own, now, shard)

    def orders(self) -> Orders:
        """Return the overrides that the next start of each shard has."""
        return {
            name: memory.overrides[f"{name}/s"].action
            for shard in shards_of(self.count)
            for name, memory in self.loaded(shard).items()
            if memory.overrides
        }

    def loaded(self, shard: Shard) -> dict[str, Memory]:
        """Return what the next start of a shard knows of its clusters."""
        return load_memories(state_path(shard.below(self.directory)), shard)

    def files(self) -> set[str]:
        """Return the clusters with a file for keepalived's script."""
        return {each.parent.name for each in override_directory(self.directory).glob("*/*")}


steps = st.lists(
    st.tuples(
        st.integers(1, 5), st.dictionaries(st.sampled_from(CLUSTERS), st.sampled_from(ACTIONS))
    ),
    min_size=1,
    max_size=5,
)


@given(steps)
def test_the_last_order_is_known_whatever_the_shards_were(
    tmp_path_factory: pytest.TempPathFactory, done: list[tuple[int, Orders]]
) -> None:
    site = Site(tmp_path_factory.mktemp("state"))
    last: Orders = {}
    for count, orders in done:
        site.start(count)
        assert site.orders() == last
        site.save(orders)
        last = orders
        assert site.files() == {name for name, action in orders.items() if action != "in"}
    site.start(1)

    assert site.orders() == last
    assert not [*site.directory.glob("shard-*/state.json")]


@pytest.mark.parametrize(("before", "now"), [(1, 4), (4, 1), (4, 5), (5, 2), (2, 4)])
def test_an_agent_that_is_killed_while_it_divides_has_lost_nothing(
    tmp_path: Path, before: int, now: int
) -> None:
    """Each write is a rename, so the moments to be killed at are those between two of them."""
    orders = dict(zip(CLUSTERS, ACTIONS * 4, strict=True))
    for writes in range(1, 2 * now):
        site = Site(tmp_path / str(writes))
        site.directory.mkdir()
        site.start(before)
        site.save(orders)
        _killed_after(writes, site.directory, before, now)
        assert site.orders() == orders  # the division that is noted is still the one before
        site.start(now)
        assert site.orders() == orders


def _killed_after(writes: int, directory: Path, before: int, now: int) -> None:
    """Divide the state in a process that ends after so many of the files of shards."""
    process = os.fork()
    if not process:
        seen = 0

        def count(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal seen
            if event == "os.rename" and str(arguments[1]).endswith((".json",)):
                seen += 1
                if seen > writes:
                    os._exit(9)

        import sys  # noqa: PLC0415

        sys.addaudithook(count)
        divide_state(directory, before, now)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 9


def test_what_the_guard_remembers_moves_with_its_cluster(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.save({})
    site.start(3)

    found = {name: shard for shard in shards_of(3) for name in site.loaded(shard)}
    assert found == {name: shard_of(name, 3) for name in CLUSTERS}
    assert not any(
        memory.servers[f"{name}/s"].in_service
        for shard in shards_of(3)
        for name, memory in site.loaded(shard).items()
    )


def test_a_first_start_leaves_no_files(tmp_path: Path) -> None:
    Site(tmp_path).start(4)

    assert [*tmp_path.iterdir()] == []


def test_a_damaged_state_is_set_aside_and_its_drains_are_known_by_their_files(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path)
    site.start(2)
    site.save({"c0": "drain", "c1": "out", "c2": "drain"})
    for shard in shards_of(2):
        state_path(shard.below(tmp_path)).write_bytes(b"\0" * 100)
    site.start(3)

    assert site.orders() == {"c0": "drain", "c1": "out", "c2": "drain"}
    assert len([*tmp_path.glob("shard-*/state.json.broken-*")]) == 2


def test_kept_observations_move_with_their_cluster(tmp_path: Path) -> None:
    asked = cluster(planned("connect"), planned("replication"), servers=2)
    at = boot_seconds()
    facts = {"contextCSN": {"": ()}, "observed_epoch_seconds": 0.0}
    read = saw("replication", facts, of="s0", at=at - 5.0)
    save_kept(kept_path(tmp_path), [(asked, {"replication": {"c/s0": [read]}})])
    before = load_kept(kept_path(tmp_path)).of(asked)

    divide_state(tmp_path, 1, 2)
    own = shard_of(asked.name, 2)
    other = next(each for each in shards_of(2) if each != own)
    kept = load_kept(kept_path(own.below(tmp_path)))

    assert find("replication").select_kept is not None
    assert before
    assert kept.of(asked) == before
    assert kept.current
    assert _clusters(load_kept(kept_path(other.below(tmp_path))), other) == set()


def _clusters(kept: KeptObservations, shard: Shard) -> set[str]:
    return {each.cluster for each in kept.part(shard.holds).records}
