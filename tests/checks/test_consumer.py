"""What the consumer check says of links, by how long and how often they were seen so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.check import MOST_NEWEST
from ldaphealth.checks.consumer import Params, judge, observe, only_contacts_grew
from ldaphealth.checks.links import NEVER
from ldaphealth.judging.recent_observations import RecentObservations
from ldaphealth.judging.retention import MOST_OLDER, Retention
from ldaphealth.judging.thresholds import Thresholds, at_most
from ldaphealth.ldap.codec import Entry
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.ldap.session import Session
from ldaphealth.model import (
    AnyObservation,
    Failure,
    FailureKind,
    Finding,
    Server,
    State,
)
from tests.checks.seen import (
    CRITICAL,
    FINE,
    OURS,
    SOFT,
    UNKNOWN,
    WARNING,
    Case,
    Opinion,
    judged,
    opinions,
    saw,
    server,
    view,
)

PARAMS = Params()
A, B = "ldap://a", "ldap://b"
Fact = dict[str, object]


def stamp(second: int) -> str:
    return f"20260101{second // 3600:02}{second // 60 % 60:02}{second % 60:02}Z"


def link(  # noqa: PLR0913  the attributes of a link
    name: str = A,
    *,
    connected: bool = True,
    phase: str = "Persist",
    connect: int = 10,
    contact: int | None = 10,
    started: int = 0,
    has_next: bool = True,
) -> Fact:
    return {
        "dn": f"cn={name},cn=monitor",
        "started": stamp(started),
        "name": name,
        "connected": connected,
        "phase": phase,
        "connect": stamp(connect),
        "contact": NEVER if contact is None else stamp(contact),
        "has_next": has_next,
    }


def read(at: float, *links: Fact) -> AnyObservation:
    return saw("consumer", {"entries": len(links), "links": links}, at=at)


def lost(at: int, name: str = A, *, started: int = 0) -> Fact:
    """Return a link in its state after the attempt that failed at that time."""
    return link(name, connected=False, connect=100 + at, started=started)


def given_up(phase: str = "Persist", contact: int | None = 10) -> Fact:
    """Return a link that slapd will not try again, after an attempt that failed."""
    return link(connected=False, phase=phase, connect=100, contact=contact, has_next=False)


def polls(at: int) -> Fact:
    """Return a refreshOnly link after a poll at that time."""
    return link(connected=False, phase="Refresh", connect=at, contact=at)


def refreshes(at: int) -> Fact:
    """Return a link that catches up since it connected at that time."""
    return link(phase="Refresh", connect=at, contact=at + 1)


def case(
    *seen: AnyObservation,
    expected: tuple[Opinion, ...],
    params: Params = PARAMS,
    one_shot: bool = False,
) -> Case:
    return Case(view(*seen, one_shot=one_shot), params, expected)


def every(seconds: int, upto: int) -> Sequence[int]:
    return range(0, upto + 1, seconds)


GONE, GONE_FOR_LONG = ("not_connected", WARNING, SOFT), ("not_connected", CRITICAL, SOFT)
GIVEN_UP, GIVEN_UP_FOR_LONG = ("given_up", WARNING, SOFT), ("given_up", CRITICAL, SOFT)
UNTRIED = {"connect": NEVER}
REFRESHING = ("refreshing", WARNING, SOFT)
LOOP = ("refresh_loop", WARNING, SOFT)
SILENT = ("silent", WARNING, SOFT)
MAY_BE_SILENT = Params(silent_seconds=at_most(600, 3600))
TIMEOUT = Failure(FailureKind.TIMEOUT, "no answer")

CASES = {
    "connected": case(read(0, link(A), link(B)), expected=(FINE,)),
    "no links": case(read(0), expected=(("not_applicable", State.OK, SOFT),)),
    "links that hide their attributes": case(
        saw("consumer", {"entries": 2, "links": []}), expected=(("no_access", UNKNOWN, OURS),)
    ),
    "gone, seen once": case(read(0, link()), read(5, lost(5)), expected=(FINE,)),
    "gone for the warning": case(*(read(t, lost(t)) for t in every(5, 30)), expected=(FINE,)),
    "gone for longer": case(*(read(t, lost(t)) for t in every(5, 35)), expected=(GONE,)),
    "gone for long": case(*(read(t, lost(t)) for t in every(5, 305)), expected=(GONE_FOR_LONG,)),
    "given up for the warning": case(
        *(read(t, given_up()) for t in every(5, 30)), expected=(FINE,)
    ),
    "given up for longer": case(*(read(t, given_up()) for t in every(5, 35)), expected=(GIVEN_UP,)),
    "given up for long": case(
        *(read(t, given_up()) for t in every(5, 305)), expected=(GIVEN_UP_FOR_LONG,)
    ),
    "given up after retries": case(
        *(read(t, lost(t)) for t in every(5, 30)), read(35, given_up()), expected=(GIVEN_UP,)
    ),
    "given up without any contact": case(
        read(0, given_up("Refresh", None)), expected=(GIVEN_UP,), one_shot=True
    ),
    "given up though the last attempt was answered": case(
        read(0, given_up("Refresh", 100)), expected=(GIVEN_UP,), one_shot=True
    ),
    "not tried yet": case(
        read(0, link(connected=False, phase="Refresh", contact=None, has_next=False) | UNTRIED),
        expected=(GONE,),
        one_shot=True,
    ),
    "connected links have no next attempt": case(
        read(0, link(has_next=False)), expected=(FINE,), one_shot=True
    ),
    "gone, the other one is there": case(
        *(read(t, lost(t), link(B)) for t in every(5, 35)), expected=(GONE, FINE)
    ),
    "two are gone": case(
        *(read(t, lost(t, A), lost(t, B)) for t in every(5, 35)), expected=(GONE, GONE)
    ),
    "gone and back": case(
        *(read(t, lost(t)) for t in every(5, 35)), read(40, link(connect=140)), expected=(FINE,)
    ),
    "gone, back, gone again": case(
        *(read(t, lost(t)) for t in every(5, 30)),
        read(35, link(connect=135, contact=135)),
        read(40, link(connected=False, connect=140, contact=135)),
        expected=(FINE,),
    ),
    "gone twice, in contact between two reads": case(
        read(0, lost(0)),
        read(35, link(connected=False, connect=135, contact=120)),
        expected=(FINE,),
    ),
    "never connected": case(
        *(
            read(t, link(connected=False, phase="Refresh", connect=t, contact=None))
            for t in every(5, 35)
        ),
        expected=(GONE,),
    ),
    "gone before slapd was restarted": case(
        read(0, lost(0)), read(400, lost(400, started=390)), expected=(FINE,)
    ),
    "gone before and after a read that failed": case(
        read(0, lost(0)),
        saw("consumer", failure=TIMEOUT, at=20),
        read(40, lost(40)),
        expected=(GONE,),
    ),
    "connected and silent": case(read(0, link()), read(900, link()), expected=(FINE,)),
    "silent for longer than it may be": case(
        read(0, link()), read(900, link()), expected=(SILENT,), params=MAY_BE_SILENT
    ),
    "heard of since": case(
        read(0, link()), read(900, link(contact=800)), expected=(FINE,), params=MAY_BE_SILENT
    ),
    "gone is not silent": case(
        read(0, lost(0)), read(20, lost(20)), expected=(FINE,), params=MAY_BE_SILENT
    ),
    "another link was gone before": case(
        read(0, lost(0, A), link(B)), read(60, link(A), lost(60, B)), expected=(FINE,)
    ),
    "a link that is new": case(read(0, link(A)), read(60, link(A), lost(60, B)), expected=(FINE,)),
    "a link that was removed": case(
        *(read(t, lost(t)) for t in every(5, 35)), read(40, link(B)), expected=(FINE,)
    ),
    "a poll an hour": case(*(read(t, polls(0)) for t in every(60, 3600)), expected=(FINE,)),
    "a poll a minute": case(*(read(t, polls(t)) for t in every(60, 3600)), expected=(FINE,)),
    "polls that fail": case(
        *(read(t, link(connected=False, phase="Refresh", connect=20)) for t in every(5, 35)),
        expected=(GONE,),
    ),
    "refreshing for a while": case(
        *(read(t, refreshes(10)) for t in every(100, 300)), expected=(FINE,)
    ),
    "refreshing for longer": case(
        *(read(t, refreshes(10)) for t in every(100, 400)), expected=(REFRESHING,)
    ),
    "falling back to a refresh": case(
        *(read(t, link(phase="Fallback Refresh")) for t in every(100, 400)), expected=(REFRESHING,)
    ),
    "refreshing for long": case(
        *(read(t, refreshes(10)) for t in every(100, 1900)),
        expected=(("refreshing", CRITICAL, SOFT),),
    ),
    "refreshed at last": case(
        *(read(t, refreshes(10)) for t in every(100, 400)), read(500, link()), expected=(FINE,)
    ),
    "refreshing over and over": case(
        *(read(t, refreshes(t)) for t in every(5, 20)), expected=(LOOP,)
    ),
    "refreshing over and over, for long": case(
        *(read(t, refreshes(t)) for t in every(100, 400)), expected=(REFRESHING, LOOP)
    ),
    "connected anew three times": case(
        *(read(t, link(connect=t)) for t in every(5, 15)), expected=(FINE,)
    ),
    "connected anew all the time": case(
        *(read(t, link(connect=t)) for t in every(5, 55)),
        expected=(("refresh_loop", CRITICAL, SOFT),),
    ),
    "an hour of attempts, then back": case(
        read(0, link()),
        *(read(t, lost(t)) for t in every(5, 200)),
        read(205, link(connect=305, contact=305)),
        expected=(FINE,),
    ),
    "flapping, never caught connected": case(
        *(read(t, link(connected=False, connect=t + 1, contact=t)) for t in every(5, 25)),
        expected=(LOOP,),
    ),
    "silent while the other hears": case(
        *(read(t, link(A), link(B, contact=t)) for t in every(5, 600)), expected=(FINE,)
    ),
    "one read: gone": case(read(0, lost(0), link(B)), one_shot=True, expected=(GONE, FINE)),
    "two reads: gone": case(read(0, lost(0)), read(1, lost(1)), one_shot=True, expected=(GONE,)),
    "one read: refreshing": case(read(0, refreshes(0)), one_shot=True, expected=(REFRESHING,)),
    "one read: a poll is over": case(read(0, polls(0)), one_shot=True, expected=(FINE,)),
    "one read: gone, and not to be told": case(
        read(0, lost(0)),
        params=Params(not_connected_seconds=Thresholds()),
        one_shot=True,
        expected=(FINE,),
    ),
    "no threshold is reached that is not there": case(
        *(read(t, lost(t)) for t in every(5, 35)),
        params=Params(not_connected_seconds=Thresholds()),
        expected=(FINE,),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_each_link_is_judged_by_what_was_seen_of_it(case: Case) -> None:
    assert opinions(judged(case.view, case.params)) == case.expected


def numbers(findings: Sequence[Finding]) -> dict[tuple[str, str], float]:
    return {(m.name, m.label): m.value for found in findings for m in found.metrics}


def test_every_number_of_every_link_is_told_whatever_is_wrong() -> None:
    seen = view(*(read(t, lost(t), link(B, contact=7), polls(t) | {"name": "c"}) for t in (0, 40)))

    found = judged(seen, PARAMS)

    names = ("not_connected_seconds", "refresh_seconds", "reconnects", "silent_seconds")
    assert numbers(found) == dict.fromkeys(((n, u) for u in (A, B, "c") for n in names), 0) | {
        ("not_connected_seconds", A): 40.0,
        ("silent_seconds", B): 40.0,
    }
    assert [each.summary for each in found] == [
        (
            "no connection to its provider ldap://a for at least 40 s: "
            "it receives no changes from there"
        ),
        "1 of 2 other replication links connected, 1 waiting for the next poll",
    ]


def test_a_process_without_memory_tells_no_durations() -> None:
    found = judged(view(read(0, lost(0), refreshes(0) | {"name": B}), one_shot=True), PARAMS)

    assert numbers(found) == {}
    assert [each.summary for each in found] == [
        "no connection to its provider ldap://a at this moment: it receives no changes from there",
        "refreshing from ldap://b at this moment: its data may be outdated until the refresh ends",
    ]


def test_thresholds_are_those_of_the_settings() -> None:
    seen = view(*(read(t, lost(t)) for t in (0, 3)))

    found = judged(seen, Params(not_connected_seconds=at_most(1, 2)))

    assert opinions(found) == (GONE_FOR_LONG,)
    assert (found[0].metrics[0].warning, found[0].metrics[0].critical) == ("1", "2")


class Shows(Session):
    """A session whose search brings these entries."""

    def __init__(self, *entries: tuple[str, Mapping[str, str]]) -> None:
        super().__init__(Server(cluster="c", name="s0", uri="ldap://127.0.0.1"), Deadline.after(1))
        self.entries = entries

    def search(self, *_: object, **__: object) -> tuple[Entry, ...]:
        """Return the entries, whatever is asked."""
        return tuple((dn, {name: (text,) for name, text in of.items()}) for dn, of in self.entries)


def observed(*entries: tuple[str, Mapping[str, str]]) -> tuple[list[str], tuple[Opinion, ...]]:
    facts = msgspec.json.decode(msgspec.json.encode(observe(Shows(*entries), PARAMS)))
    return [each["name"] for each in facts["links"]], opinions(
        judge(view(saw("consumer", facts)), PARAMS)
    )


def entry(number: int, uri: str, **attributes: str) -> tuple[str, Mapping[str, str]]:
    return f"cn=Consumer {number:03},cn=Database 1,cn=Databases,cn=Monitor", {
        "olmsrproviderurilist": uri,
        "olmsrconnection": "IP=127.0.0.1:1",
        "olmsrsyncphase": "Persist",
    } | attributes


@pytest.mark.parametrize(
    ("entries", "names", "expected"),
    [
        pytest.param((), [], (("not_applicable", State.OK, SOFT),), id="none"),
        pytest.param((entry(1, A), entry(2, B)), [A, B], (FINE,), id="two"),
        pytest.param(
            (entry(1, A), entry(2, A), entry(3, B)),
            [f"{A} (Consumer 001)", f"{A} (Consumer 002)", B],
            (FINE,),
            id="two from one provider",
        ),
        pytest.param((entry(1, ""),), ["Consumer 001"], (FINE,), id="no URI"),
        pytest.param(
            (entry(1, "ldap://\x1b[2J"),), ["ldap://\\x1b[2J"], (FINE,), id="a hostile URI"
        ),
        pytest.param(
            (entry(1, "x" * 9999, olmsrsyncphase="y" * 9999),),
            ["x" * 127 + "…"],
            (FINE,),
            id="a long one",
        ),
        pytest.param(
            (("cn=Consumer 001", {"cn": "Consumer 001"}),),
            [],
            (("no_access", UNKNOWN, OURS),),
            id="hidden attributes",
        ),
    ],
)
def test_links_have_names_that_can_be_printed_and_told_apart(
    entries: tuple[tuple[str, Mapping[str, str]], ...],
    names: list[str],
    expected: tuple[Opinion, ...],
) -> None:
    assert observed(*entries) == (names, expected)


# What the agent remembers: 64 reads, which are five minutes, and of older ones those that count

INTERVAL_SECONDS = 5
HOUR = every(INTERVAL_SECONDS, 3600)


def remembered(reads: Iterable[AnyObservation]) -> Sequence[Finding]:
    """Return what the agent tells after it has seen them all."""
    recent = RecentObservations({"consumer": Retention(covers=only_contacts_grew)})
    for each in reads:
        recent.add(each)
    seen = recent.view(server(), "consumer", one_shot=False)
    assert len(seen.own) <= MOST_NEWEST + MOST_OLDER
    return judged(seen, PARAMS)


def test_the_default_thresholds_of_a_refresh_are_reached() -> None:
    def refreshing(at: int) -> AnyObservation:
        return read(at, link(phase="Refresh", connect=1000, contact=at))

    found = remembered([*(read(at, link()) for at in every(5, 995)), *map(refreshing, HOUR[200:])])

    assert opinions(found) == (("refreshing", CRITICAL, SOFT),)
    assert numbers(found)["refresh_seconds", A] == 2600


def test_a_link_that_is_tried_for_an_hour_is_told_for_an_hour() -> None:
    found = remembered(read(at, lost(at)) for at in HOUR)

    assert opinions(found) == (GONE_FOR_LONG,)
    assert numbers(found)["not_connected_seconds", A] == 3600
    assert numbers(found)["reconnects", A] == 0


def test_reconnects_now_and_then_are_no_loop() -> None:
    """Such as those of a provider that is restarted each night, in a day that has two hours."""
    found = remembered(
        read(at, link(connect=at // 7200 * 7200, contact=at)) for at in every(5, 12 * 7200)
    )

    assert opinions(found) == (FINE,)
    assert numbers(found)["reconnects", A] == 1


def test_reconnects_of_before_a_gap_are_no_loop() -> None:
    """The reads of a hidden cn=Monitor are none of the link, and count as reads."""
    seen = [read(at, link(connect=at // 7200 * 7200, contact=at)) for at in every(600, 86400)]
    hidden = {"entries": 0, "links": (), "access": "denied"}
    denied = [saw("consumer", hidden, at=86400 + at) for at in every(5, 62 * 5)[1:]]

    found = remembered([*seen, *denied, read(86800, link(connect=86400, contact=86800))])

    assert opinions(found) == (FINE,)


def test_a_link_that_polls_shortens_no_duration_of_another() -> None:
    def reads(at: int) -> AnyObservation:
        polled = at // 20 * 20
        polls = link(B, connected=False, phase="Refresh", connect=polled, contact=polled)
        return read(at, link(phase="Refresh", connect=0, contact=at), polls)

    found = remembered(map(reads, every(5, 7200)))

    assert numbers(found)["refresh_seconds", A] == 7200
    assert CRITICAL in {finding.state for finding in found}


@given(st.integers(0, 3000), st.integers(1, 100))
def test_a_silence_is_told_in_full_but_for_a_fifth(since: int, step: int) -> None:
    """While the link was in use its contact was another one in each read, or in some."""
    found = remembered(
        read(at, link(connect=0, contact=min(at, since) // step * step)) for at in HOUR
    )

    last = min(since, 3600) // step * step
    true = 3600 - next(at for at in HOUR if min(at, since) // step * step == last)
    told = numbers(found)["silent_seconds", A]
    assert true / 1.25 <= told <= true


READS = st.lists(
    st.tuples(st.booleans(), st.sampled_from(["Persist", "Refresh"]), st.integers(0, 3)),
    min_size=1,
    max_size=MOST_NEWEST,
)


@given(READS)
def test_what_is_spared_of_the_older_reads_changes_nothing_that_is_judged(
    seen: list[tuple[bool, str, int]],
) -> None:
    def known(findings: Sequence[Finding]) -> object:
        rest = {key: n for key, n in numbers(findings).items() if key[0] != "silent_seconds"}
        return opinions(findings), rest

    connect, reads = 0, []
    for at, (connected, phase, news) in enumerate(seen):
        connect = at if news == 0 else connect
        contact = at if connected and news > 1 else connect if connected else 0
        reads.append(
            read(at, link(connected=connected, phase=phase, connect=connect, contact=contact))
        )
    few = RecentObservations(
        {"consumer": Retention(newest=2, covers=only_contacts_grew, older=1000)}
    )
    for each in reads:
        few.add(each)

    found = judged(few.view(server(), "consumer", one_shot=False), PARAMS)

    assert known(found) == known(judged(view(*reads), PARAMS))
