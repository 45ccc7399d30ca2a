"""What is said of the way of tokens: late, lost, and who is to blame when most lack one."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from ldaphealth.checks.propagation import MOST_READERS, Params, _some
from ldaphealth.ldap.names import DN
from ldaphealth.model import Finding
from tests.checks.seen import (
    CRITICAL,
    FINE,
    OK,
    OURS,
    SOFT,
    TOLD,
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

CANARY = "cn=agent c/s0 propagation,ou=canaries,dc=x"
NOT_HERE = f"{CANARY} does not exist here, or there is no right to read it"
PARAMS = Params(container=DN("ou=canaries,dc=x"))
NAMES = ("s0", "s1", "s2", "s3", "s4")
LOST, SPLIT = ("lost", CRITICAL, SOFT), ("split", CRITICAL, TOLD)
ISOLATED = ("isolated", CRITICAL, SOFT)
UNREAD = ("unread", UNKNOWN, OURS)
UNWRITTEN = ("unwritten", UNKNOWN, OURS)
COLLECTING = ("collecting", OK, SOFT)

Seen = Mapping[str, object]
Story = Mapping[str, object]


def reader(
    seconds: float | None = None,
    *,
    watched: float = 10.1,
    trouble: str = "",
    is_there: bool = True,
    csn_seconds: float | None = None,
) -> Seen:
    return {
        "seconds": seconds,
        "csn_seconds": csn_seconds,
        "watched_seconds": watched,
        "is_there": is_there,
        "trouble": trouble,
    }


GOT, LACKS = reader(0.05), reader()
DEAD = reader(watched=0.0, trouble="connection refused")
DIED = reader(watched=4.0, trouble="the server closed the connection")
DIED_LATE = reader(watched=10.1, trouble="no answer")


def story(writer: str, *seen: Seen, outcome: str = "written", detail: str = "") -> Story:
    """Return what became of a token of one writer at the other servers, in their order."""
    others = [f"c/{name}" for name in NAMES if name != writer]
    return {
        "writer": f"c/{writer}",
        "dn": CANARY,
        "turns": 4,
        "lost_seconds": 10.0,
        "outcome": outcome,
        "detail": detail,
        "readers": dict(zip(others, seen, strict=False)),
    }


def case(me: str, *stories: Story, expected: tuple[Opinion, ...], params: Params = PARAMS) -> Case:
    return Case(
        view(*(saw("propagation", each, of=me) for each in stories), of=me), params, expected
    )


ALL_GOT = story("s0", GOT, GOT, GOT)
ONE_LACKS = story("s0", GOT, GOT, LACKS)  # it is s3
NOBODY_GOT = story("s0", LACKS, LACKS, LACKS)
LATE, VERY_LATE = story("s0", reader(3.0), GOT, GOT), story("s0", reader(7.0), GOT, GOT)
HALF = story("s0", GOT, LACKS, LACKS)  # s0 and s1 have it, s2 and s3 do not
OTHER_HALF = story("s2", LACKS, LACKS, GOT)
ALONE: Story = {"writer": "", "outcome": "alone", "turns": 1, "readers": {}}

CASES = {
    "it arrived": case("s1", ALL_GOT, expected=(FINE,)),
    "a writer whose token arrived has nothing to say": case("s0", ALL_GOT, expected=(COLLECTING,)),
    "it polls": Case(
        view(
            saw("propagation", {**ALL_GOT, "readers": {}}, of="s1"),
            of="s1",
            servers=(server("s1", poll_interval_seconds=300.0),),
        ),
        PARAMS,
        (("not_applicable", OK, SOFT),),
    ),
    "it did not arrive": case("s3", ONE_LACKS, expected=(LOST,)),
    "it did not arrive at another": case("s1", ONE_LACKS, expected=(FINE,)),
    "the writer is not blamed for one": case("s0", ONE_LACKS, expected=(COLLECTING,)),
    "it was late": case("s1", LATE, expected=(("slow", WARNING, SOFT),)),
    "it was very late": case("s1", VERY_LATE, expected=(("slow", CRITICAL, SOFT),)),
    "nobody got it: the writer": case("s0", NOBODY_GOT, expected=(ISOLATED,)),
    "nobody got it: a reader": case("s1", NOBODY_GOT, expected=(COLLECTING,)),
    "most lack it, one has it": case(
        "s0", story("s0", GOT, LACKS, LACKS, LACKS), expected=(ISOLATED,)
    ),
    "of two readers none got it": case("s0", story("s0", LACKS, LACKS), expected=(ISOLATED,)),
    "of one reader none got it: a tie blames who lacks": case(
        "s1", story("s0", LACKS), expected=(LOST,)
    ),
    "half of them got it": case("s2", HALF, expected=(LOST,)),
    "both halves lack the other's": case("s2", HALF, OTHER_HALF, expected=(SPLIT,)),
    "both halves lack the other's, the other one": case("s0", HALF, OTHER_HALF, expected=(SPLIT,)),
    "who can be read by nobody says nothing of the writer": case(
        "s0", story("s0", DEAD, DEAD, LACKS), expected=(COLLECTING,)
    ),
    "a dead reader": case("s1", story("s0", DEAD, GOT, GOT), expected=(UNREAD,)),
    "a reader that died meanwhile": case("s1", story("s0", DIED, GOT, GOT), expected=(UNREAD,)),
    "a reader whose last look failed": case(
        "s1", story("s0", DIED_LATE, GOT, GOT), expected=(UNREAD,)
    ),
    "a reader that was dead the last time": case(
        "s2", story("s0", GOT, DEAD, GOT), story("s1", GOT, GOT, GOT), expected=(FINE,)
    ),
    "a reader that died after it had it": case(
        "s1", story("s0", reader(0.1, trouble="gone"), GOT, GOT), expected=(FINE,)
    ),
    "lost from one, received from another": case(
        "s3", ONE_LACKS, story("s1", GOT, GOT, GOT), expected=(LOST,)
    ),
    "lost the last time, received this time": case("s3", ONE_LACKS, ALL_GOT, expected=(FINE,)),
    "lost and slow": case(
        "s3",
        ONE_LACKS,
        story("s1", GOT, GOT, reader(3.0)),
        expected=(LOST, ("slow", WARNING, SOFT)),
    ),
    "what is older than a whole turn of all does not count": case(
        "s3",
        ONE_LACKS,
        *(story(each, GOT, GOT, GOT) for each in ("s1", "s2", "s1", "s2")),
        expected=(FINE,),
    ),
    "a writer that could not write the next time": case(
        "s3", ONE_LACKS, story("s0", outcome="unwritten", detail="refused"), expected=(COLLECTING,)
    ),
    "it could not be written": case(
        "s0", story("s0", outcome="unwritten", detail="refused"), expected=(UNWRITTEN,)
    ),
    "no canary": case(
        "s0", story("s0", outcome="missing"), expected=(("no_canary", UNKNOWN, OURS),)
    ),
    "an entry that is not ours": case(
        "s0", story("s0", outcome="foreign"), expected=(("foreign_entry", UNKNOWN, OURS),)
    ),
    "another's canary is nobody else's business": case(
        "s1", story("s0", outcome="missing"), expected=(COLLECTING,)
    ),
    "nobody to watch": case("s0", ALONE, expected=(("not_applicable", OK, SOFT),)),
    "a survey that failed in between": Case(
        view(
            saw("propagation", ONE_LACKS, of="s3"),
            saw("propagation", of="s3"),
            saw("propagation", story("s1", GOT, GOT, GOT), of="s3"),
            of="s3",
        ),
        PARAMS,
        (LOST,),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_way_of_tokens_is_judged(case: Case) -> None:
    assert opinions(judged(case.view, case.params)) == case.expected


def only(me: str, *stories: Story) -> Finding:
    found = judged(case(me, *stories, expected=()).view, PARAMS)
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(
    ("me", "stories", "summary"),
    [
        ("s3", [ONE_LACKS], "did not receive the token written at s0 within 10 s"),
        (
            "s3",
            [ONE_LACKS, story("s1", GOT, GOT, LACKS)],
            "did not receive the tokens written at s0, s1 within 10 s",
        ),
        (
            "s3",
            [story("s0", GOT, GOT, reader(csn_seconds=0.2))],
            (
                "did not receive the token written at s0 within 10 s, "
                "although its contextCSN includes it"
            ),
        ),
        (
            "s3",
            [story("s0", GOT, GOT, reader(is_there=False))],
            f"did not receive the token written at s0 within 10 s; {NOT_HERE}",
        ),
        ("s0", [NOBODY_GOT], "none of 3 servers received the token written here within 10 s"),
        (
            "s0",
            [story("s0", GOT, LACKS, LACKS, LACKS)],
            "only 1 of 4 servers received the token written here within 10 s",
        ),
        ("s1", [LATE], "took 3.00 s to receive the token written at s0"),
        ("s1", [ALL_GOT], "received the token written at s0 within 0.050 s"),
        (
            "s1",
            [story("s0", DEAD, GOT, GOT)],
            "could not be read for the token written at s0: connection refused",
        ),
        (
            "s0",
            [story("s0", outcome="unwritten", detail="modify: unwillingToPerform")],
            "no token could be written here: modify: unwillingToPerform",
        ),
        (
            "s2",
            [HALF, OTHER_HALF],
            (
                "did not receive the token written at s0 within 10 s; split: s0, s1 | s2, s3, and "
                "each side lacks tokens of the other; no server is removed for a split"
            ),
        ),
        (
            "s0",
            [story("s0", outcome="foreign")],
            f"{CANARY} lacks the mark of this agent in ou; nothing was written",
        ),
    ],
)
def test_the_sentence_tells_what_happened(me: str, stories: list[Story], summary: str) -> None:
    assert only(me, *stories).summary == summary


def test_a_number_is_told_for_each_writer_with_the_ranges_that_judge_it() -> None:
    metrics = only("s3", ALL_GOT, story("s1", GOT, GOT, reader(0.4))).metrics

    assert [(each.name, each.label, each.value) for each in metrics] == [
        ("propagation_seconds", "s0", 0.05),
        ("propagation_seconds", "s1", 0.4),
    ]
    assert (metrics[0].warning, metrics[0].critical) == ("2", "5")


def test_of_a_lost_token_there_is_no_number() -> None:
    assert only("s3", ONE_LACKS).metrics == ()


def test_of_very_many_servers_all_are_watched_in_the_end() -> None:
    servers = [server(f"s{n}") for n in range(MOST_READERS + 10)]
    first, second = _some(servers, 0), _some(servers, 1)

    assert len(first) == len(second) == MOST_READERS
    assert {each.id for each in (*first, *second)} == {each.id for each in servers}
    assert _some(servers[:3], 7) == servers[:3]


@pytest.mark.parametrize("agent", ["lb 1", "lb,1", "ä"])
def test_an_agent_whose_name_would_need_escaping_is_refused(agent: str) -> None:
    with pytest.raises(ValueError, match="agent must consist of letters"):
        Params(container=DN("dc=x"), agent=agent)
