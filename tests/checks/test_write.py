"""What the write check says of the canary, and that a missing canary blames nobody."""

from __future__ import annotations

import pytest

from ldaphealth.checks.write import Params, writers
from ldaphealth.ldap.names import DN
from ldaphealth.model import AnyObservation, Failure, FailureKind
from tests.checks.seen import (
    CRITICAL,
    EXPECTATION,
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
    view,
)

CANARY = "cn=agent c/s0,ou=canaries,dc=x"
PARAMS = Params(DN("ou=canaries,dc=x"))
LOST, TOO_SLOW = ("lost", CRITICAL, SOFT), ("slow", CRITICAL, SOFT)
NO_CANARY, FOREIGN = ("no_canary", UNKNOWN, OURS), ("foreign_entry", UNKNOWN, OURS)
CONSUMER = {"canary": "not_applicable"}
MISSING, NOT_OURS = {"canary": "missing", "dn": CANARY}, {"canary": "foreign", "dn": CANARY}
WRITTEN = {"canary": "ours", "dn": CANARY, "matched": True}
UNWRITTEN = {"canary": "ours", "dn": CANARY, "matched": False}
COPY = {"canary": "copy", "dn": CANARY}
UNSEARCHABLE = {**WRITTEN, "searchable": False}
NOT_SEARCHABLE = ("not_searchable", CRITICAL, EXPECTATION)
FORWARDED = {**UNWRITTEN, "forwarded": True}


DUPLICATE = ("duplicate_server_id", CRITICAL, TOLD)
MAYBE_DUPLICATE = ("duplicate_server_id", WARNING, TOLD)


def case(facts: dict[str, object], *expected: Opinion, seconds: float = 0.0) -> Case:
    return Case(view(saw("write", facts, timings={"modify": seconds})), PARAMS, expected)


def wrote(  # noqa: PLR0913  what one round shows
    at: float,
    token: str,
    found: str = "",
    sid: int = 1,
    *,
    of: str = "s0",
    csn: str | None = None,
    matched: bool = True,
    forwarded: bool | None = False,
) -> AnyObservation:
    """Return a round that found one token, written under that server ID, and wrote another."""
    made = f"20260101000000.000000Z#000000#{sid:03x}#000000" if csn is None else csn
    seen = {**WRITTEN, "token": token, "found_token": found, "found_csn": made}
    seen |= {"matched": matched, "forwarded": forwarded}
    return saw("write", seen, of=of, at=at)


def wrote_twice(of: str, sid: int, *, forwarded: bool | None = False) -> list[AnyObservation]:
    """Return two rounds at a server that writes under that server ID."""
    return [
        wrote(0, f"{of} 1", of=of, forwarded=forwarded),
        wrote(5, f"{of} 2", f"{of} 1", sid, of=of, forwarded=forwarded),
    ]


def of_two(*seen: AnyObservation, expected: tuple[Opinion, ...]) -> Case:
    return Case(view(*seen), PARAMS, expected)


CASES = {
    "each under a server ID of its own": of_two(
        *wrote_twice("s0", 1), *wrote_twice("s1", 2), expected=(FINE,)
    ),
    "two under one server ID": of_two(
        *wrote_twice("s0", 2), *wrote_twice("s1", 2), expected=(FINE, DUPLICATE)
    ),
    "one that has the other make its writes": of_two(
        *wrote_twice("s0", 2), *wrote_twice("s1", 2, forwarded=True), expected=(FINE,)
    ),
    "this one has another make its writes": of_two(
        *wrote_twice("s0", 2, forwarded=True), *wrote_twice("s1", 2), expected=(FINE,)
    ),
    "it is not known whether the other makes its writes": of_two(
        *wrote_twice("s0", 2),
        *wrote_twice("s1", 2, forwarded=None),
        expected=(FINE, MAYBE_DUPLICATE),
    ),
    "a token that came later was written elsewhere": of_two(
        wrote(0, "a", matched=False, forwarded=None),
        wrote(5, "b", "a", 2),
        *wrote_twice("s1", 2),
        expected=(FINE,),
    ),
    "alone under any": of_two(*wrote_twice("s0", 2), expected=(FINE,)),
    "one round proves nothing": of_two(
        wrote(0, "a", "of an agent before us", 1),
        wrote(0, "b", "of an agent before us", 1, of="s1"),
        expected=(FINE,),
    ),
    "what another wrote there proves nothing": of_two(
        wrote(0, "a"), wrote(5, "b", "of somebody else", 2), *wrote_twice("s1", 2), expected=(FINE,)
    ),
    "what was written at another server proves nothing": of_two(
        wrote(0, "a"), wrote(5, "b", "s1 1", 2), *wrote_twice("s1", 2), expected=(FINE,)
    ),
    "a round that failed between does not matter": of_two(
        wrote(0, "a"),
        saw("write", at=5, failure=Failure(FailureKind.RESULT, "busy", "busy")),
        wrote(10, "b", "a", 2),
        *wrote_twice("s1", 2),
        expected=(FINE, DUPLICATE),
    ),
    "a server ID that was changed": of_two(
        *wrote_twice("s0", 2),
        wrote(10, "s0 3", "s0 2", 1),
        *wrote_twice("s1", 2),
        expected=(FINE,),
    ),
    "no right to read the CSN": of_two(
        wrote(0, "a"), wrote(5, "b", "a", csn=""), *wrote_twice("s1", 2), expected=(FINE,)
    ),
    "a consumer writes under none": of_two(
        saw("write", CONSUMER), *wrote_twice("s1", 2), expected=(("not_applicable", OK, SOFT),)
    ),
    "a copy at the default role": case({**COPY}, ("referral", WARNING, TOLD)),
    "a consumer takes no writes": case({**CONSUMER}, ("not_applicable", OK, SOFT)),
    "no canary": case({**MISSING}, NO_CANARY),
    "an entry that is not ours": case({**NOT_OURS}, FOREIGN),
    "written and read back": case({**WRITTEN}, FINE),
    "written, and found by a search": case({**WRITTEN, "searchable": True}, FINE),
    "written, and not found by a search": case({**UNSEARCHABLE}, NOT_SEARCHABLE, FINE),
    "written and not there": case({**UNWRITTEN}, LOST, FINE),
    "written by another server, and not there yet": case({**FORWARDED}, FINE),
    "not there at once, as the one before, which came later": of_two(
        wrote(0, "a", matched=False, forwarded=None),
        wrote(5, "b", "a", 2, matched=False, forwarded=None),
        expected=(FINE,),
    ),
    "not there at once, and the one before never came": of_two(
        wrote(0, "a", matched=False, forwarded=None),
        wrote(5, "b", "", matched=False, forwarded=None),
        expected=(LOST, FINE),
    ),
    "written, but too slow": case({**WRITTEN}, TOO_SLOW, seconds=2.5),
    "written, not there, and too slow": case({**UNWRITTEN}, LOST, TOO_SLOW, seconds=2.5),
    "where nothing was written no time is judged": case({**MISSING}, NO_CANARY, seconds=2.5),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_round_trip_is_judged(case: Case) -> None:
    assert opinions(judged(case.view, case.params)) == case.expected


@pytest.mark.parametrize(
    ("facts", "summary"),
    [
        pytest.param(
            MISSING,
            f"no canary {CANARY}, or no right to read it; nothing was written"
            " (see `ldaphealth canary apply`)",
            id="no canary",
        ),
        pytest.param(
            NOT_OURS,
            f"{CANARY} lacks the mark of this agent in ou; nothing was written",
            id="not ours",
        ),
        pytest.param(
            UNWRITTEN, f"the token that was written to {CANARY} is not there", id="not there"
        ),
        pytest.param(
            UNSEARCHABLE,
            f"{CANARY} has the description that was written, but a search for this value does not"
            " find it: build the index again (slapindex description), or give the account the"
            " right to search",
            id="not searchable",
        ),
        pytest.param(
            COPY,
            f"the write to {CANARY} was refused: its database is a copy, which takes no writes:"
            " set `role: consumer` for this server",
            id="a copy",
        ),
    ],
)
def test_the_sentence_names_the_entry(facts: dict[str, object], summary: str) -> None:
    assert judged(view(saw("write", facts)), PARAMS)[0].summary == summary


def test_the_others_that_write_under_the_same_server_id_are_named() -> None:
    seen = [
        each for of, sid in (("s2", 26), ("s1", 26), ("s3", 1)) for each in wrote_twice(of, sid)
    ]
    findings = judged(view(*wrote_twice("s0", 26), *seen), PARAMS)

    assert findings[-1].summary == (
        "writes with the same server ID 01a as s1, s2: changes may be lost; "
        "give each server its own serverID, unless these are names of one server"
    )


@pytest.mark.parametrize("agent", ["", "lb1", "lb-1.example_x", "a" * 64])
def test_an_agent_with_a_plain_name_is_taken(agent: str) -> None:
    assert Params(DN("dc=x"), agent).agent == agent


@pytest.mark.parametrize("agent", ["lb 1", "lb,1", "lb1\n", "ä", "a" * 65, "+"])
def test_an_agent_whose_name_would_need_escaping_is_refused(agent: str) -> None:
    with pytest.raises(ValueError, match="agent must consist of letters"):
        Params(DN("dc=x"), agent)


@pytest.mark.parametrize(
    ("seen", "known"),
    [
        ([*wrote_twice("s0", 1), *wrote_twice("s1", 2)], {1: "s0", 2: "s1"}),
        ([*wrote_twice("s0", 2), *wrote_twice("s1", 2)], {}),
        ([*wrote_twice("s0", 1), *wrote_twice("s1", 2, forwarded=True)], {1: "s0"}),
        ([wrote(0, "s0 1")], {}),
    ],
)
def test_the_server_of_a_server_id_is_known_by_its_own_writes(
    seen: list[AnyObservation], known: dict[int, str]
) -> None:
    assert writers(view(*seen).observations) == known
