"""What operations of a workload show of a server: other answers, other times, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ldaphealth.checks.workload import Facts, Params
from ldaphealth.checks.workload_others import Done, beside_others
from ldaphealth.ldap.names import AttributeName
from ldaphealth.model import AnyObservation, Basis
from ldaphealth.workload.shape import OperationShape, ValueSource, Workload
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
    view,
)

SEARCH = OperationShape(
    name="search-uid",
    operation="search",
    base="dc=x",
    scope="sub",
    filter="(uid={uid})",
    count=100,
    share=0.5,
    results={0: 99, 51: 1},
    entries={0: 1, 1: 99},
    seconds={0.001: 100},
)
COMPARE = OperationShape(
    name="compare-sn",
    operation="compare",
    base="uid=a,dc=x",
    attribute=AttributeName("sn"),
    value="{sn}",
    count=100,
    share=0.5,
    results={5: 50, 6: 50},
)
WORKLOAD = Workload(
    form=1,
    operations=200,
    sources={"uid": ValueSource(values=("a",)), "sn": ValueSource(values=("a",))},
    shapes=(SEARCH, COMPARE),
)
FILE = WORKLOAD.in_file(Path("/workload.yaml"))
PARAMS = Params(file=FILE, min_operations=4)
SUCCESS, NO_SUCH_OBJECT, BUSY, DENIED = (
    (0, "success"),
    (32, "noSuchObject"),
    (51, "busy"),
    (50, "insufficientAccessRights"),
)
TRUE, FALSE, TIMEOUT = (6, "compareTrue"), (5, "compareFalse"), (-1, "timeout")
Came = tuple[tuple[int, str], int, float]  # the result, the entries, the seconds
WELL: Came = (SUCCESS, 1, 0.001)
TWO: Came = (SUCCESS, 2, 0.001)
NONE: Came = (SUCCESS, 0, 0.001)


def drew(
    *came: Came, shape: str = "search-uid", file: str = FILE.digest, at: float = 0.0
) -> tuple[AnyObservation, ...]:
    """Return draws of one operation each at one server, of which these came out."""
    return tuple(
        saw(
            "workload",
            Facts(file=file, draw=str(number), done=(_done(each, shape),)),
            at=at + number,
        )
        for number, each in enumerate(came)
    )


def _done(came: Came, shape: str) -> Done:
    (code, name), entries, seconds = came
    return Done(number=0, shape=shape, code=code, name=name, entries=entries, seconds=seconds)


def others(
    *came: Came, servers: int = 3, shape: str = "search-uid"
) -> tuple[tuple[AnyObservation, ...], ...]:
    """Return the same draws at other servers."""
    return (drew(*came, shape=shape),) * servers


def _facts(seen: AnyObservation) -> Facts:
    assert isinstance(seen.facts, Facts)
    return seen.facts


def beside(own: AnyObservation, others: Sequence[Sequence[AnyObservation]]) -> AnyObservation:
    """Return an observation with what the others got in the same draw."""
    facts = _facts(own)
    here = [_facts(each) for of in others for each in of if _facts(each).draw == facts.draw]
    done = {str(number): each.done for number, each in enumerate(here)} | {"own": facts.done}
    return replace(own, facts=replace(facts, done=beside_others(done)["own"]))


def case(
    own: Sequence[AnyObservation],
    others: Sequence[Sequence[AnyObservation]] = (),
    *,
    expected: tuple[Opinion, ...],
) -> Case:
    return Case(view(*(beside(each, others) for each in own)), PARAMS, expected)


TEN = [WELL] * 10
SLOW: Came = (SUCCESS, 1, 0.1)
COLLECTING = ("collecting", OK, SOFT)
CASES = {
    "all is well": case(drew(*TEN), others(*TEN), expected=(FINE,)),
    "a server alone": case(drew(*TEN), expected=(FINE,)),
    "too few of the shape": case(drew(*TEN[:3]), others(*TEN), expected=(COLLECTING,)),
    "nothing drawn yet": case((saw("workload", Facts(file="")),), expected=(COLLECTING,)),
    "no session": case(
        (saw("workload", Facts(file="", not_done="no connection")),),
        expected=(("not_done", UNKNOWN, OURS),),
    ),
    "busy twice": case(
        drew(*TEN[2:], *[(BUSY, 0, 0.001)] * 2),
        others(*TEN),
        expected=(("results", WARNING, SOFT),),
    ),
    "busy once": case(drew(*TEN[1:], (BUSY, 0, 0.001)), others(*TEN), expected=(FINE,)),
    "busy often": case(
        drew(*[(BUSY, 0, 0.001)] * 10), others(*TEN), expected=(("results", CRITICAL, SOFT),)
    ),
    "no answer in time": case(
        drew(*TEN[4:], *[(TIMEOUT, 0, 1.0)] * 4),
        others(*TEN),
        expected=(("results", CRITICAL, SOFT),),
    ),
    "busy everywhere, as in the log": case(
        drew(*[(BUSY, 0, 0.001)] * 10), others(*[(BUSY, 0, 0.001)] * 10), expected=(FINE,)
    ),
    "denied everywhere, as in no log": case(
        drew(*[(DENIED, 0, 0.001)] * 10),
        others(*[(DENIED, 0, 0.001)] * 10),
        expected=(("unlike_learnt", WARNING, TOLD),),
    ),
    "of two servers one is as in the log": case(
        drew(*[(DENIED, 0, 0.001)] * 10),
        others(*TEN, servers=1),
        expected=(("results", CRITICAL, SOFT),),
    ),
    "of two servers this is as in the log": case(
        drew(*TEN), others(*[(DENIED, 0, 0.001)] * 10, servers=1), expected=(FINE,)
    ),
    "of two servers both are as in the log": case(
        drew(*[(TRUE, 0, 0.001)] * 10, shape="compare-sn"),
        others(*[(FALSE, 0, 0.001)] * 10, servers=1, shape="compare-sn"),
        expected=(FINE,),
    ),
    "another compare than at the others": case(
        drew(*[(TRUE, 0, 0.001)] * 10, shape="compare-sn"),
        others(*[(FALSE, 0, 0.001)] * 10, shape="compare-sn"),
        expected=(("results", CRITICAL, SOFT),),
    ),
    "40 % of the entries are gone": case(
        drew(*[WELL] * 12, *[NONE] * 8), others(*TEN * 2), expected=(("entries", CRITICAL, SOFT),)
    ),
    "some entries are gone": case(
        drew(*[WELL] * 43, *[NONE] * 7), others(*TEN * 5), expected=(("entries", WARNING, SOFT),)
    ),
    "changes on their way": case(drew(*[WELL] * 4, *[NONE] * 6), others(*TEN), expected=(FINE,)),
    "changes on their way to a server all the time": case(
        drew(*[WELL, NONE, TWO] * 10), others(*[WELL] * 30), expected=(FINE,)
    ),
    "entries are gone, and changes are on their way": case(
        drew(*[NONE, NONE, NONE, NONE, TWO] * 6),
        others(*[WELL] * 30),
        expected=(("entries", CRITICAL, SOFT),),
    ),
    "more entries than at the others": case(
        drew(*TEN * 2),
        others(*[WELL] * 12, *[NONE] * 8),
        expected=(("entries", CRITICAL, SOFT),),
    ),
    "of two servers one has fewer entries": case(
        drew(*[WELL] * 12, *[NONE] * 8),
        others(*TEN * 2, servers=1),
        expected=(("entries", CRITICAL, TOLD),),
    ),
    "no entries anywhere, as in no log": case(
        drew(*[NONE] * 10),
        others(*[NONE] * 10),
        expected=(("unlike_learnt", WARNING, TOLD),),
    ),
    "slow": case(
        drew(*[(SUCCESS, 1, 3.0)] * 10),
        others(*[(SUCCESS, 1, 3.0)] * 10),
        expected=(("slow", CRITICAL, SOFT), ("slower_than_learnt", WARNING, TOLD)),
    ),
    "one slow operation": case(drew(*TEN[1:], SLOW), others(*TEN), expected=(FINE,)),
    "slower than the others": case(
        drew(*[(SUCCESS, 1, 0.02)] * 10),
        others(*TEN),
        expected=(("slower_than_pool", WARNING, SOFT),),
    ),
    "slow as the others": case(
        drew(*[(SUCCESS, 1, 0.03)] * 10), others(*[(SUCCESS, 1, 0.03)] * 10), expected=(FINE,)
    ),
    "quick, whatever the others are": case(
        drew(*[(SUCCESS, 1, 0.002)] * 10),
        others(*[(SUCCESS, 1, 0.0001)] * 10),
        expected=(FINE,),
    ),
    "with another file": case(
        (*drew(*[NONE] * 10, file="old"), *drew(*TEN[:4], at=10)),
        others(*TEN),
        expected=(FINE,),
    ),
    "before the window": case(
        (*drew(*[NONE] * 10), *drew(*TEN, at=1000)), others(*TEN), expected=(FINE,)
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_opinions(name: str) -> None:
    row = CASES[name]

    assert opinions(judged(row.view, row.params)) == row.expected


def test_the_finding_names_the_shape_and_what_came() -> None:
    row = CASES["40 % of the entries are gone"]
    (finding,) = judged(row.view, row.params)

    assert finding.summary == (
        "40% of 20 operations of the shape search-uid (search 'dc=x' sub (uid={uid})) came out "
        "otherwise than at most servers, such as 0 entries in place of 1; `ldaphealth explain "
        "c/s0` has the operation to repeat by hand"
    )
    assert finding.basis is Basis.WINDOW
    assert {(each.name, each.label): each.value for each in finding.metrics} == {
        ("workload_shape_operations", "search-uid"): 20,
        ("workload_shape_seconds", "search-uid"): 0.001,
        ("workload_shape_different_ratio", "search-uid"): 0.4,
    }


ANSWERS = st.lists(
    st.tuples(
        st.sampled_from([SUCCESS, NO_SUCH_OBJECT, BUSY, TIMEOUT]),
        st.integers(0, 3),
        st.floats(0, 10),
    ),
    max_size=20,
)


@given(ANSWERS, ANSWERS)
def test_servers_that_answer_alike_are_not_told_apart(own: list[Came], other: list[Came]) -> None:
    newest = saw("workload", Facts(file=FILE.digest))
    seen = [beside(each, (drew(*own), drew(*other))) for each in drew(*own)]
    found = judged(view(*seen, newest), PARAMS)

    assert found
    assert not {each.code for each in found} & {"results", "entries"}
