"""Which positions are compared, and that all are where every server is a provider."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.csn import CSN, Vector, counted

START = datetime(2026, 1, 1, tzinfo=UTC)


def vector(**seconds: int) -> Vector:
    """Return a vector: s1=5 is a write of server ID 1 five seconds after the start."""
    return {
        int(sid[1:]): CSN(START + timedelta(seconds=after), 0, int(sid[1:]), 0)
        for sid, after in seconds.items()
    }


CASES = {
    "one that only a consumer holds": (
        {"p": vector(s1=5), "k": vector(s1=5, s0=9)},
        {"p": vector(s1=5), "k": vector(s1=5)},
    ),
    "one that two consumers hold alike": (
        {"p": vector(s1=5), "k": vector(s1=5, s0=9), "k2": vector(s1=5, s0=9)},
        {"p": vector(s1=5), "k": vector(s1=5), "k2": vector(s1=5)},
    ),
    "a consumer is ahead of its provider": (
        {"p": vector(s0=5), "k": vector(s0=9)},
        {"p": vector(s0=5), "k": vector(s0=5)},
    ),
    "a consumer is behind": (
        {"p": vector(s1=5), "k": vector(s1=3)},
        {"p": vector(s1=5), "k": vector(s1=3)},
    ),
    "a consumer has what one of two providers has": (
        {"p": vector(s1=5), "p2": vector(s1=3), "k": vector(s1=5)},
        {"p": vector(s1=5), "p2": vector(s1=3), "k": vector(s1=5)},
    ),
    "consumers alone: two hold the same, others are ahead or behind": (
        {"k": vector(s1=5), "k2": vector(s1=5), "k3": vector(s1=9), "k4": vector(s1=3)},
        {"k": vector(s1=5), "k2": vector(s1=5), "k3": vector(s1=5), "k4": vector(s1=3)},
    ),
    "consumers alone: each holds another": (
        {"k": vector(s0=5), "k2": vector(s0=6)},
        {"k": vector(), "k2": vector()},
    ),
    "nobody": ({}, {}),
}


@pytest.mark.parametrize(("shown", "expected"), CASES.values(), ids=CASES)
def test_what_only_consumers_hold_does_not_count(
    shown: dict[str, Vector], expected: dict[str, Vector]
) -> None:
    assert counted(shown, {"k", "k2", "k3", "k4"}) == expected


VECTORS = st.dictionaries(
    st.sampled_from("abcd"),
    st.dictionaries(st.sampled_from(["s0", "s1", "s2"]), st.integers(0, 3)).map(
        lambda written: vector(**written)
    ),
)
CONSUMERS = st.sets(st.sampled_from("abcd"))


@given(VECTORS)
def test_without_consumers_all_counts(shown: dict[str, Vector]) -> None:
    assert counted(shown, ()) == shown


@given(VECTORS, CONSUMERS)
def test_what_providers_hold_counts_and_nothing_is_newer(
    shown: dict[str, Vector], consumers: set[str]
) -> None:
    found = counted(shown, consumers)

    for server, of in shown.items():
        assert found[server].keys() <= of.keys()
        assert all(found[server][sid] <= of[sid] for sid in found[server])
        if server not in consumers:
            assert found[server] == of
    assert counted(found, consumers) == found
