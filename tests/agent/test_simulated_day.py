"""A day of an agent with random faults: what must hold in each moment, and memory stays flat.

The faults are of one server (all that `Fault` names) and of all at once, with restarts and reloads
of the agent, overrides and a suspended machine. No thread and no clock runs.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import psutil
import pytest

from tests.agent.simulated_site import FLOOR, SERVERS, WELL_SECONDS, Fault, Site

DAY_SECONDS = 86400.0
WEIGHT = 100
GONE_ROUNDS = 8
MOST_READS = 128  # of a server and check
SAMPLES = 48  # of memory
MOST_GROWTH = 1.05  # of memory and objects, from the first half to the end
RULES = 6
LEAST_APPLIED = 50  # of each rule, in a day
EVENTS: tuple[tuple[float, Callable[[Site], None]], ...] = (  # once in so many seconds
    (300.0, Site.break_one),
    (3600.0, Site.break_most),
    (3600.0, Site.break_all),
    (2400.0, Site.override),
    (1800.0, Site.reload),
    (21600.0, Site.restart),
    (7200.0, Site.suspend),
)


def rules(site: Site) -> Iterator[tuple[str, bool]]:
    """Return each rule that applies now, and whether it holds."""
    pool, well = site.pool, site.well()
    overrides, verdicts = pool.memory.overrides, pool.verdicts
    served = {key for key, each in verdicts.items() if each.in_service}
    for key in well:
        yield "a server that is well is in, with its whole weight", verdicts[key].weight == WEIGHT
    for key, override in overrides.items():
        if key in verdicts:
            yield "an override is obeyed", (override.action == "in") == (key in served)
    for key in verdicts.keys() - overrides.keys():
        yield "a server has a weight if it is in", (key in served) == (verdicts[key].weight > 0)
        if site.lately[key].hard_rounds > GONE_ROUNDS and well:
            yield "a server without LDAP service is out", key not in served
    if site.shared is not None and site.now < site.shared[1]:
        for key in site.well_before:
            yield "a fault that all servers share removes none", key in served
    if all(site.now - site.lately[key].quiet_since > WELL_SECONDS for key in verdicts):
        least = min(FLOOR, len(verdicts))
        yield "soft failures leave the servers of the floor", len(served) >= least


def unbounded(site: Site) -> Iterator[str]:
    """Return a sentence for each thing that is kept without a bound."""
    pool = site.pool
    for check in pool.cluster.checks:
        for server, reads in pool.recent.of_check(check.check.name).items():
            if len(reads) > MOST_READS:
                yield f"{len(reads)} reads of {check.check.name} of {server}"
    for name, kept in vars(pool).items():
        if isinstance(kept, dict | list | set) and len(kept) > SERVERS:
            yield f"{len(kept)} in {name} of the pool"
    for server, past in pool.memory.servers.items():
        if len(past.fell) + len(past.answers) > MOST_READS:
            yield f"{len(past.fell)} removals and {len(past.answers)} answers of {server}"


def used() -> tuple[float, int]:
    """Return the resident memory in MiB, and the number of objects."""
    gc.collect()
    return psutil.Process().memory_info().rss / 2**20, len(gc.get_objects())


def test_a_day_with_random_faults(pytestconfig: pytest.Config) -> None:
    end = DAY_SECONDS * pytestconfig.getoption("days")
    site = Site(seed=1)
    applied: Counter[str] = Counter()
    faults: Counter[Fault] = Counter()
    samples: list[tuple[float, int]] = []
    at = 0.0
    while site.now < end:
        passed, at = site.now - at, site.now
        for seconds, event in EVENTS:
            if site.random.random() < passed / seconds:
                event(site)
        site.step()
        for rule, holds in rules(site):
            applied[rule] += 1
            assert holds, (rule, site.now, site.faults, site.shared)
        if site.now > end * len(samples) / SAMPLES:
            assert not [*unbounded(site)]
            faults.update(each for each, _ in site.faults.values())
            samples.append(used())
    print(f"{site.rounds} rounds, {site.changes} changes of verdicts; {samples[::4]}")  # noqa: T201
    print(*applied.items(), sep="\n")  # noqa: T201
    assert min(applied.values()) > LEAST_APPLIED * pytestconfig.getoption("days")
    assert len(applied) == RULES
    assert faults.keys() == {*Fault}
    for before, after in zip(*map(most, (samples[4 : SAMPLES // 2], samples[-8:])), strict=True):
        assert after < before * MOST_GROWTH


def most(samples: Sequence[tuple[float, int]]) -> tuple[float, int]:
    """Return the largest of each number."""
    return max(mib for mib, _ in samples), max(objects for _, objects in samples)
