"""Events to rows to bytes and back: what comes back is equal, bit for bit, whatever the numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.agent.journal_cluster import cluster_document, cluster_of
from ldaphealth.agent.journal_codec import EventReader, EventWriter
from ldaphealth.agent.journal_leaves import units
from ldaphealth.agent.journal_observations import ObservationReader, ObservationWriter
from ldaphealth.agent.pool_events import (
    BaselinesAccepted,
    Began,
    Decided,
    Ended,
    OverrideChanged,
    PoolEvent,
    Reconfigured,
    RoundAdded,
    SurveyAdded,
)
from ldaphealth.checks import find
from ldaphealth.config import load_without_files
from ldaphealth.guard import Override, RoundPeriod
from ldaphealth.model import AnyObservation, Credentials, Failure, FailureKind, Observation, Secret
from tests.agent.simulated_site import CHECKS, Site, site_cluster
from tests.checks.seen import saw, server

EXAMPLE = Path("examples/ldaphealth.yaml")

seconds = st.one_of(
    st.integers(0, 10**13).map(lambda n: n / 1e6),
    st.floats(0, 1e12),
    st.floats(allow_nan=False),
)
moments = st.one_of(st.integers(0, 10**13).map(lambda n: n / 1e6), st.floats(0, 1e9))
texts = st.text(max_size=5)
facts = {
    "connect": st.just(find("connect").facts()),
    "search": st.builds(
        find("search").facts, entries=st.integers(-(2**63), 2**63 - 1), matching=st.integers(0, 3)
    ),
    "replication": st.builds(
        find("replication").facts,
        context_csn=st.dictionaries(texts, st.lists(texts, max_size=2).map(tuple), max_size=2),
        observed_epoch_seconds=st.none() | st.floats(1e9, 2e9) | moments,
        poll_interval_seconds=st.dictionaries(texts, st.none() | seconds, max_size=2),
    ),
    "latency": st.builds(
        find("latency").facts, seconds=st.dictionaries(st.sampled_from("ab"), seconds)
    ),
}
failures = st.builds(
    Failure,
    kind=st.sampled_from(FailureKind),
    detail=texts,
    result_code=texts,
    is_local=st.booleans(),
    answered=st.booleans(),
)


@st.composite
def observations(draw: st.DrawFn) -> AnyObservation:
    check = draw(st.sampled_from([*facts]))
    seen: Struct | None = draw(st.none() | facts[check])
    return Observation(
        server=draw(st.sampled_from(["c/s0", "c/s1"])),
        check=check,
        started_at=draw(moments),
        duration_seconds=draw(seconds.filter(lambda each: abs(each) < 1e12)),
        facts=seen,
        timings=draw(st.dictionaries(texts, seconds, max_size=2)),
        failure=None if seen else draw(st.none() | failures),
    )


seen_in_order = st.lists(observations(), min_size=1, max_size=4).map(tuple)
periods = st.builds(
    RoundPeriod,
    began=moments,
    ended=moments,
    last_began=st.none() | moments,
    silent_since=st.none() | moments,
    answered=st.none() | moments,
    lost_at=st.none() | moments,
)
overrides = st.builds(Override, action=st.sampled_from(["in", "out"]), until=seconds, reason=texts)
events: st.SearchStrategy[PoolEvent] = st.one_of(
    st.builds(RoundAdded, server=st.just(""), seen=seen_in_order, period=periods).map(
        lambda each: replace(each, server=each.seen[0].server)
    ),
    st.builds(SurveyAdded, seen=seen_in_order),
    st.builds(Decided, now=moments),
    st.builds(OverrideChanged, server=texts, override=st.none() | overrides, by=texts),
    st.just(BaselinesAccepted()),
    st.just(Ended()),
    st.builds(Reconfigured, cluster=st.integers(1, 6).map(site_cluster)),
)


def written(events: Iterable[PoolEvent]) -> Sequence[bytes]:
    writer = EventWriter()
    return [msgspec.msgpack.encode(row) for event in events for row in writer.rows(event)]


def read(rows: Iterable[bytes]) -> list[PoolEvent]:
    reader = EventReader(find)
    found = [reader.event(msgspec.msgpack.decode(each)) for each in rows]
    return [each for each in found if each is not None]


def exact(value: Any) -> bytes:
    """Return all of a value, so that 0.0 and -0.0 differ."""
    return msgspec.msgpack.encode(value)


def documents(events: Iterable[PoolEvent]) -> list[bytes]:
    """Return each event with all of its numbers; settings may have 5 where they mean 5.0."""
    return [
        b"" if isinstance(each, Reconfigured) else exact(_without_settings(each)) for each in events
    ]


def _without_settings(event: PoolEvent) -> object:
    return replace(event.state, cluster=None) if isinstance(event, Began) else event


BEGAN = Began(Site(seed=1).pool.state())


@given(st.lists(events, max_size=6))
def test_what_comes_back_is_what_went_in(given_events: list[PoolEvent]) -> None:
    all_events = [BEGAN, *given_events]
    found = read(written(all_events))
    assert found == all_events
    assert documents(found) == documents(all_events)


def test_hours_of_a_site_come_back_also_from_a_state_in_the_middle() -> None:
    site, seen = Site(seed=5), list[PoolEvent]()
    site.follow(lambda _, event: seen.append(event))
    for step in range(600):
        site.step()
        if step % 50 == 0:
            site.break_one()
            site.override()
    seen.append(Began(site.pool.state()))
    found = read(written(seen))
    assert documents(found) == documents(seen)


@given(seconds)
def test_a_number_in_microseconds_is_the_same_number(value: float) -> None:
    count = units(value)
    assert count is None or exact(count / 1e6) == exact(value)


def test_what_repeats_costs_a_few_bytes() -> None:
    def round_at(at: float) -> RoundAdded:
        seen = tuple(
            Observation(
                server="c/s0",
                check=check,
                started_at=at,
                duration_seconds=0.0004,
                facts=None
                if check in {"replication", "latency"}
                else find(check).facts(
                    **({"entries": 1, "matching": 1} if check == "search" else {})
                ),
                timings={check: 0.0003},
            )
            for check in CHECKS
        )
        return RoundAdded("c/s0", seen, RoundPeriod(began=at, ended=at + 0.0004))

    rows = written([BEGAN, *(round_at(each * 5.0) for each in range(5))])
    assert len(rows[-1]) < 16 * len(CHECKS)


def test_the_settings_come_back_without_a_password_and_without_values_of_a_workload() -> None:
    (example,) = load_without_files(EXAMPLE).clusters.values()
    secret = Credentials(password=Secret("hunter2"))
    with_secrets = replace(
        example,
        servers=(*example.servers, server("s9", credentials=secret)),
        checks=tuple(replace(each, credentials=secret) for each in example.checks),
    )
    document = msgspec.msgpack.encode(cluster_document(with_secrets))
    assert b"hunter2" not in document
    assert (
        cluster_of(msgspec.msgpack.decode(msgspec.msgpack.encode(cluster_document(example))), find)
        == example
    )


@pytest.mark.parametrize("later", [{"b": 0.0, "a": 0.0}, {"b": 0.0, "a": 1e-06}])
def test_facts_whose_keys_have_another_order_come_back_in_it(later: dict[str, float]) -> None:
    writer, reader = ObservationWriter(), ObservationReader(lambda check: find(check).facts)
    for seconds in ({"a": 0.0, "b": 0.0}, later, later):
        seen = saw("latency", {"seconds": seconds})
        found = reader.observation(writer.row(seen))

        assert found == seen
        assert msgspec.json.encode(found) == msgspec.json.encode(seen)  # in the same order
