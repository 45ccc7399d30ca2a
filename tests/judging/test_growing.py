"""What a view says of growing reads saves the judge of replication work, and changes no finding."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ldaphealth.checks import BUILT_IN
from ldaphealth.checks.replication import Params
from ldaphealth.checks.vector_reads import own_reads
from ldaphealth.csn import regressed
from ldaphealth.judging.recent_observations import RecentObservations
from ldaphealth.judging.retention import Retention
from ldaphealth.model import Failure, FailureKind
from tests.checks.seen import saw, server

SERVERS = tuple(map(server, ("s0", "s1", "s2")))
CHECK = BUILT_IN["replication"]
BEHIND = Failure(FailureKind.RESULT, "busy", "busy")
Read = tuple[str, float, tuple[int, ...] | None]  # the server, after how long, changes by server ID


def shown(changes: tuple[int, ...]) -> dict[str, Any]:
    values = (
        f"202601010000{second:02}.000000Z#000000#{sid:03x}#000000"
        for sid, second in enumerate(changes, 1)
        if second
    )
    return {"contextCSN": {"": tuple(values)}}


changes = st.tuples(st.integers(0, 9), st.integers(0, 3))
reads = st.tuples(
    st.sampled_from(SERVERS).map(lambda each: each.name),
    st.sampled_from((0.1, 3.0, 40.0)),
    st.one_of(changes, changes, changes, st.none()),
)


@settings(deadline=None)
@given(st.lists(reads, max_size=40), st.integers(2, 6))
def test_growing_reads_are_those_without_a_regression(happened: list[Read], keep: int) -> None:
    assert CHECK.covers is not None
    recent = RecentObservations(
        {"replication": Retention(newest=keep, covers=CHECK.covers, older=keep)}
    )
    at = 0.0
    for name, passed, seen in happened:
        at += passed
        facts = None if seen is None else shown(seen)
        recent.add(saw("connect", of=name, at=at))
        failure = BEHIND if seen is None else None
        recent.add(saw("replication", facts, of=name, at=at, took=0.05, failure=failure))
        for each in SERVERS:
            view = recent.view(each, "replication", one_shot=False, servers=SERVERS)
            if not view.own or view.latest.failure is not None:
                continue
            if view.is_growing:
                assert not regressed(own_reads(view.own, ""))
            plain = replace(view, is_growing=False)
            assert [*CHECK.judge(view, Params())] == [*CHECK.judge(plain, Params())]
