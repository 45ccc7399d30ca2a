"""The times of links that are well are found without reading all reads, and are the same."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ldaphealth.check import MOST_NEWEST
from ldaphealth.checks.consumer import only_contacts_grew
from ldaphealth.checks.link_times import link_times
from ldaphealth.checks.links import PERSIST, Facts, Link
from ldaphealth.model import Failure, FailureKind, Observation
from tests.checks.seen import saw

FAILED = Failure(FailureKind.TIMEOUT, "no answer")


def stamp(second: int) -> str:
    return f"202601010000{second:02}Z"


def link(place: int) -> Link:
    """Return a link that is connected, and had a contact when it connected."""
    return Link(
        dn=f"cn={place}",
        started=stamp(0),
        name=f"ldap://{place}",
        connected=True,
        phase=PERSIST,
        connect=stamp(1),
        contact=stamp(1),
    )


@st.composite
def connected_links(draw: st.DrawFn) -> Sequence[Observation[Facts]]:
    """Return reads of links whose contacts grow at times; some reads fail, but not the newest."""
    phases = draw(st.lists(st.sampled_from([PERSIST, "Refresh"]), min_size=1, max_size=3))
    contacts = [0] * len(phases)
    reads: list[Observation[Facts]] = []
    count = draw(st.integers(1, MOST_NEWEST + 20))
    for number in range(count):
        contacts = [each + draw(st.sampled_from([0, 0, 0, 1])) % 60 for each in contacts]
        links = tuple(
            replace(link(place), phase=phase, contact=stamp(min(contacts[place], 59)))
            for place, phase in enumerate(phases)
        )
        seen: Observation[Facts] = saw("consumer", Facts(len(links), links), at=5.0 * number)
        if number < count - 1 and draw(st.sampled_from([False] * 9 + [True])):
            seen = replace(seen, facts=None, failure=FAILED)
        reads.append(seen)
    return reads


@given(connected_links())
def test_reads_in_which_only_contacts_grew_need_not_all_be_read(
    reads: Sequence[Observation[Facts]],
) -> None:
    read = [each.facts for each in reads if each.facts is not None]
    assert all(only_contacts_grew(*pair) for pair in pairwise(read))

    assert link_times(reads, is_growing=True) == link_times(reads, is_growing=False)


def test_a_link_that_is_not_connected_is_not_taken_for_one_that_is() -> None:
    """It has grown as well: attempts of a lost link prove nothing."""
    lost = replace(link(0), connected=False, connect=stamp(9), contact=stamp(5))
    reads: list[Observation[Facts]] = [
        saw("consumer", Facts(1, (replace(lost, connect=stamp(9 + n)),)), at=5.0 * n)
        for n in range(4)
    ]

    (times,) = link_times(reads, is_growing=True)

    assert times.lost_seconds == 15.0
    assert times.reconnects == 0


def test_two_probes_of_a_round_may_end_in_another_order() -> None:
    """The first one hung in the read of the links, and the second one began meanwhile."""
    links = Facts(1, (link(0),))
    hung: Observation[Facts] = replace(
        saw("consumer", links, at=100.0, took=5.0), facts=None, failure=FAILED
    )
    read: Observation[Facts] = saw("consumer", links, at=102.5, took=0.1)

    for is_growing in (True, False):
        for own in ([hung, read], [replace(hung, facts=read.facts, failure=None), read]):
            (times,) = link_times(own, is_growing=is_growing)
            assert (times.silent_seconds, times.counted_seconds, times.reconnects) == (0, 0, 0)
