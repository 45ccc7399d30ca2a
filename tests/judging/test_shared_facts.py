"""Facts share with those before what is equal, and stay equal to themselves."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from ldaphealth.judging.recent_observations import RecentObservations
from ldaphealth.judging.shared_facts import sharing
from ldaphealth.model import AnyObservation, Failure, FailureKind, Observation


class Part(Struct, frozen=True):
    """A part of facts, such as a link of replication."""

    name: str
    contact: str


class Pair(NamedTuple):
    """A tuple that is more than one."""

    name: str
    contact: str


class Counts(Struct, frozen=True):
    """Facts of a check."""

    done: dict[str, int]
    names: tuple[str, ...]
    seconds: float
    parts: tuple[Part | Pair, ...] = ()


class OtherCounts(Struct, frozen=True):
    """The same of another one."""

    done: dict[str, int]
    names: tuple[str, ...]
    seconds: float


counts = st.builds(
    Counts,
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 2), max_size=3),
    st.lists(st.sampled_from("xy"), max_size=2).map(tuple),
    st.floats(0, 1),
    st.lists(
        st.builds(Part, st.sampled_from("xy"), st.sampled_from("12"))
        | st.builds(Pair, st.sampled_from("xy"), st.sampled_from("12")),
        max_size=3,
    ).map(tuple),
)


def seen(facts: Any, failure: Failure | None = None) -> AnyObservation:
    return Observation(
        server="c/s",
        check="x",
        started_at=1.0,
        duration_seconds=0.5,
        facts=facts,
        failure=failure,
    )


def test_equal_facts_are_one_object() -> None:
    before, after = seen(Counts({"a": 1}, ("x",), 0.5)), seen(Counts({"a": 1}, ("x",), 0.5))

    assert sharing(after, before).facts is before.facts


def test_of_other_facts_the_equal_fields_are_one_object() -> None:
    before = Counts({"a": 1000}, ("x", "y"), 0.5)
    after = Counts({"a": 1000}, ("x",), 0.7)

    found = sharing(seen(after), seen(before)).facts

    assert found == after
    assert found.done is before.done
    assert found.names is after.names


def text(characters: str) -> str:
    """Return an object of its own, as one that was decoded from octets is."""
    return characters.encode().decode()


def test_of_parts_that_changed_the_equal_fields_are_one_object() -> None:
    """Such as links of replication, of which the time of the last contact changes each round."""
    before = Counts({}, (), 0.5, (Part(text("link"), "1"), Part(text("other"), "1")))
    after = Counts({}, (), 0.5, (Part(text("link"), "2"), Part(text("other"), "1")))

    found = sharing(seen(after), seen(before)).facts

    assert found == after
    assert found.parts[0].name is before.parts[0].name
    assert found.parts[1] is before.parts[1]


@given(counts, counts)
def test_what_is_seen_stays_as_it_is(one: Counts, other: Counts) -> None:
    found = sharing(seen(one), seen(other))

    assert found == seen(one)
    assert found.facts is not None
    assert [type(part) for part in found.facts.parts] == [type(part) for part in one.parts]


@pytest.mark.parametrize("before", [None, OtherCounts({"a": 1}, (), 0.5)])
def test_facts_of_another_kind_share_nothing(before: Any) -> None:
    after = seen(Counts({"a": 1}, (), 0.5))

    assert sharing(after, seen(before)) is after


def test_an_observation_without_facts_stays_as_it_is() -> None:
    failed = seen(None, Failure(FailureKind.TIMEOUT, "no answer"))

    assert sharing(failed, seen(Counts({}, (), 0.5))) is failed


def test_recent_observations_share() -> None:
    recent = RecentObservations()
    for _ in range(3):
        recent.add(seen(Counts({"a": 1000}, ("x",), 0.5)))

    first, second, third = recent.of_check("x")["c/s"]
    assert first.facts is second.facts is third.facts
