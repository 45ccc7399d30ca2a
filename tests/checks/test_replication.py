"""What the replication check says of one server among what could be read of all.

Who is blamed is tested in tests/csn/test_behind.py; here are the thresholds, the codes, who has a
say, and who must be looked at again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ldaphealth.checks.links import Facts as LinkFacts
from ldaphealth.checks.replication import CHECK, Params, observe
from ldaphealth.checks.vector_reads import grew
from ldaphealth.csn import ATTRIBUTE, CSN
from ldaphealth.csn.server_id import ServerId
from ldaphealth.judging.judge import judge
from ldaphealth.judging.recent_observations import RecentObservations
from ldaphealth.judging.retention import Retention
from ldaphealth.judging.thresholds import Range, Thresholds, at_most
from ldaphealth.ldap.names import DN
from ldaphealth.ldap.session import Session
from ldaphealth.model import (
    AnyObservation,
    BindMethod,
    Credentials,
    Failure,
    FailureKind,
    Finding,
    Metric,
    Role,
    Secret,
    Server,
)
from tests.checks.seen import (
    CRITICAL,
    FINE,
    HARD,
    OK,
    OURS,
    SOFT,
    TOLD,
    UNKNOWN,
    WARNING,
    Case,
    Opinion,
    cluster,
    judged,
    opinions,
    planned,
    saw,
    server,
    view,
    wants_more,
)

RETIRED_1, RETIRED_2 = (Params(retired_server_ids=(ServerId(sid),)) for sid in (1, 2))
START = datetime(2026, 1, 1, tzinfo=UTC)
DEAD = Failure(FailureKind.CONNECT, "the server closed the connection")
BEHIND, TOO_BEHIND = ("behind", WARNING, SOFT), ("behind", CRITICAL, SOFT)
ISOLATED, TOO_ISOLATED = ("isolated", WARNING, SOFT), ("isolated", CRITICAL, SOFT)
SPLIT, TOO_SPLIT = ("split", WARNING, TOLD), ("split", CRITICAL, TOLD)
REGRESSED, ALL_REGRESSED = ("regressed", CRITICAL, SOFT), ("regressed", CRITICAL, TOLD)
FUTURE, FAR_FUTURE = ("future", WARNING, TOLD), ("future", CRITICAL, TOLD)
NO_REFERENCE = ("no_reference", UNKNOWN, OURS)
NO_CSN, BAD_CSN = ("no_csn", UNKNOWN, OURS), ("bad_csn", WARNING, SOFT)


def csn(sid: int, after: float) -> str:
    """Return the position of a write of that server ID, seconds after the start."""
    return str(CSN(START + timedelta(seconds=after), 0, sid, 0))


def read(of: str, at: float, *values: str, took: float = 0.0) -> AnyObservation:
    return saw("replication", {ATTRIBUTE: {"": values}}, of=of, at=at, took=took)


def polls(of: str, at: float, *values: str, every: float | None = 300.0) -> AnyObservation:
    """Return a read of a server whose link showed that interval; None: it was connecting."""
    facts = {ATTRIBUTE: {"": values}, "poll_interval_seconds": {"": every}}
    return saw("replication", facts, of=of, at=at)


def read_when(of: str, epoch_seconds: float, *values: str) -> AnyObservation:
    """Return a read that carries the agent's time of day, in seconds after the start."""
    facts = {ATTRIBUTE: {"": values}, "observed_epoch_seconds": START.timestamp() + epoch_seconds}
    return saw("replication", facts, of=of)


def died(of: str, at: float) -> AnyObservation:
    return saw("replication", of=of, at=at, failure=DEAD)


def case(
    *seen: AnyObservation,
    expected: Opinion | tuple[Opinion, ...],
    of: str = "s3",
    one_shot: bool = False,
    params: Params | None = None,
    servers: Sequence[Server] = (),
) -> Case:
    wanted = expected if isinstance(expected[0], tuple) else (expected,)
    return Case(view(*seen, of=of, one_shot=one_shot, servers=servers), params or Params(), wanted)


HAIR = 2**-10  # seconds
OLD, NEW = csn(1, 0), csn(1, 100)
LEVEL = [read(name, 0, NEW) for name in ("s0", "s1", "s2")]  # and s3 is judged
LACKING = [read(name, 0, OLD) for name in ("s0", "s1", "s2")]
MINE, THEIRS = (csn(1, 100), csn(2, 0)), (csn(1, 0), csn(2, 100))
TWO_IDS = [read(name, 0, NEW, csn(2, 0)) for name in ("s0", "s1", "s2")]


def others_lack_until(seconds: float) -> list[AnyObservation]:
    """Return reads of all four: s3 had the change at 0, the others lacked it until then."""
    return [read("s3", 0, NEW), *(read(name, seconds, OLD) for name in ("s0", "s1", "s2"))]


def halves_until(seconds: float) -> list[AnyObservation]:
    """Return reads of all four: two halves that each lacked writes of the other until then."""
    return [
        read(name, at, *vector)
        for at in (0.0, seconds)
        for name, vector in (("s0", MINE), ("s1", MINE), ("s2", THEIRS), ("s3", THEIRS))
    ]


def three_late_at(seconds: float) -> list[AnyObservation]:
    """Return reads of all four: each but the first lacks the newest write of another server."""
    return [
        read("s0", seconds, NEW, csn(2, 100), csn(3, 100)),
        read("s1", seconds, NEW, csn(2, 100), csn(3, 0)),
        read("s2", seconds, NEW, csn(2, 0), csn(3, 100)),
        read("s3", seconds, OLD, csn(2, 100), csn(3, 100)),
    ]


ANOTHER = Credentials(BindMethod.SIMPLE, "cn=another", Secret("x"))
ONE_PROVIDER = (server("s0"), *(server(name, Role.CONSUMER) for name in ("s1", "s2", "s3")))
TWO_PROVIDERS = (*map(server, ("s0", "s1")), *(server(f"s{n}", Role.CONSUMER) for n in (2, 3)))
POLLING = (
    *map(server, ("s0", "s1", "s2")),
    server("s3", Role.CONSUMER, poll_interval_seconds=300.0),
)
ONLY_CONSUMERS = tuple(server(f"s{n}", Role.CONSUMER) for n in range(4))


def still(**vectors: tuple[str, ...]) -> list[AnyObservation]:
    """Return two reads of each server, 99 s apart, that show the same."""
    return [read(of, at, *shown) for at in (0, 99) for of, shown in vectors.items()]


CASES = {
    "a server ID that only a consumer holds": case(
        *still(s0=(NEW,), s1=(NEW,), s2=(NEW,), s3=(NEW, csn(0, 9))),
        expected=FINE,
        servers=ONE_PROVIDER,
    ),
    "a server ID that only consumers hold, each from another time": case(
        *still(s0=(NEW,), s1=(NEW,), s2=(NEW, csn(0, 9)), s3=(NEW, csn(0, 5))),
        expected=FINE,
        servers=TWO_PROVIDERS,
    ),
    "a provider lacks nothing that only consumers hold": case(
        *still(s0=(NEW,), s1=(NEW, csn(0, 1)), s2=(NEW, csn(0, 1)), s3=(NEW, csn(0, 1))),
        of="s0",
        expected=FINE,
        servers=ONE_PROVIDER,
    ),
    "a consumer that writes under the server ID of its provider": case(
        *still(s0=(csn(0, 5),), s1=(csn(0, 9),), s2=(csn(0, 7),), s3=(csn(0, 5),)),
        expected=FINE,
        servers=ONE_PROVIDER,
    ),
    "behind in what providers hold, with a server ID of its own": case(
        *still(s0=(NEW,), s1=(NEW,), s2=(NEW,), s3=(OLD, csn(0, 9))),
        expected=TOO_BEHIND,
        servers=ONE_PROVIDER,
    ),
    "a provider that is cut off": case(
        *still(s0=MINE, s1=THEIRS, s2=THEIRS, s3=THEIRS),
        of="s0",
        expected=(TOO_BEHIND, TOO_ISOLATED),
        servers=TWO_PROVIDERS,
    ),
    "the time begins when a provider had it": case(
        *(read(name, 0, csn(0, 7)) for name in ("s1", "s2")),  # logins there
        *(read(name, 95, csn(0, 9)) for name in ("s0", "s1", "s2")),
        read("s3", 99, csn(0, 5)),
        expected=FINE,
        servers=ONE_PROVIDER,
    ),
    "without the provider: what one consumer holds alone": case(
        *still(s0=(NEW, csn(0, 1)), s1=(NEW,), s2=(NEW, csn(0, 2)), s3=(NEW,)),
        died("s0", 100),
        expected=FINE,
        servers=ONE_PROVIDER,
    ),
    "without the provider: what two consumers hold came from it": case(
        *still(s0=(NEW,), s1=(NEW,), s2=(NEW,), s3=(OLD,)),
        died("s0", 100),
        expected=TOO_BEHIND,
        servers=ONE_PROVIDER,
    ),
    "where all are consumers, the provider is not watched, and all count": case(
        *still(s2=(NEW,), s3=(OLD,)), expected=TOO_BEHIND, servers=ONLY_CONSUMERS
    ),
    "all are level": case(*LEVEL, read("s3", 0, NEW), expected=FINE),
    "one server alone": case(read("s3", 0, OLD), expected=FINE),
    "behind for as long as may be": case(*LEVEL, read("s3", 10, OLD), expected=FINE),
    "behind for longer than may be": case(*LEVEL, read("s3", 10.5, OLD), expected=BEHIND),
    "behind until the end of the warning": case(*LEVEL, read("s3", 60, OLD), expected=BEHIND),
    "behind for longer than a warning": case(*LEVEL, read("s3", 60.5, OLD), expected=TOO_BEHIND),
    "behind and caught up": case(*LEVEL, read("s3", 90, OLD), read("s3", 91, NEW), expected=FINE),
    "behind counts to the beginning of a slow read": case(
        *LEVEL, read("s3", 10, OLD, took=99), expected=FINE
    ),
    "behind counts from the end of a slow read of the others": case(
        *(read(name, 0, NEW, took=50) for name in ("s0", "s1", "s2")),
        read("s3", 60, OLD),
        expected=FINE,
    ),
    "a write after an idle day makes nobody late": case(
        *(read(name, 0, csn(1, 86_400)) for name in ("s0", "s1", "s2")),
        read("s3", 1, OLD),
        expected=FINE,
    ),
    "read before the others had the change": case(read("s3", 0, OLD), *LEVEL, expected=FINE),
    "moved backwards": case(
        *LEVEL, read("s3", 20, NEW), read("s3", 40, OLD), expected=(BEHIND, REGRESSED)
    ),
    "moved backwards with all others gone": case(
        read("s0", 0, NEW),
        died("s0", 20),
        read("s3", 20, NEW),
        read("s3", 40, OLD),
        expected=REGRESSED,
    ),
    "moved backwards with all others": case(
        *LEVEL,
        read("s3", 0, NEW),
        *(read(name, 40, OLD) for name in ("s0", "s1", "s2", "s3")),
        expected=ALL_REGRESSED,
    ),
    "moved backwards with most others, while one is down": case(
        *LEVEL,
        read("s3", 0, NEW),
        died("s0", 40),
        *(read(name, 40, OLD) for name in ("s1", "s2", "s3")),
        servers=cluster(servers=4).servers,
        expected=ALL_REGRESSED,
    ),
    "moved backwards with half of the servers, while two are down": case(
        *LEVEL,
        read("s3", 0, NEW),
        died("s0", 40),
        died("s1", 40),
        *(read(name, 40, OLD) for name in ("s2", "s3")),
        servers=cluster(servers=4).servers,
        expected=REGRESSED,
    ),
    "moved backwards, less far than all others": case(
        *LEVEL,
        read("s3", 0, NEW),
        *(read(name, 40, OLD) for name in ("s0", "s1", "s2")),
        read("s3", 40, csn(1, 50)),
        expected=(ISOLATED, REGRESSED),
    ),
    "moved backwards with all others, and further alone in another server ID": case(
        *TWO_IDS,
        read("s3", 0, NEW, csn(2, 0)),
        *(read(name, 40, OLD, csn(2, 0)) for name in ("s0", "s1", "s2")),
        read("s3", 40, OLD),
        expected=(BEHIND, REGRESSED),
    ),
    "moved backwards and up again, not far enough": case(
        read("s3", 0, NEW),
        read("s3", 20, OLD),
        read("s3", 40, csn(1, 99)),
        expected=REGRESSED,
    ),
    "moved backwards and caught up": case(
        read("s3", 0, NEW), read("s3", 20, OLD), read("s3", 40, NEW), expected=FINE
    ),
    "moved backwards and went on": case(
        read("s3", 0, NEW), read("s3", 20, OLD), read("s3", 40, csn(1, 101)), expected=FINE
    ),
    "moved backwards while it could not be read": case(
        read("s3", 0, NEW), died("s3", 20), read("s3", 30), read("s3", 40, OLD), expected=REGRESSED
    ),
    "a server ID that is gone moved backwards": case(
        read("s3", 0, NEW, csn(2, 0)), read("s3", 40, NEW), expected=REGRESSED
    ),
    "a retired server ID may move backwards": case(
        read("s3", 0, NEW, csn(2, 0)),
        read("s3", 40, OLD),
        expected=FINE,
        params=Params(retired_server_ids=(ServerId(1), ServerId(2))),
    ),
    "a read that began before the newer one ended proves nothing": case(
        read("s3", 0, NEW, took=5), read("s3", 4, OLD, took=3), expected=FINE
    ),
    "without memory: two reads show that it moved backwards": case(
        read("s3", 0, NEW), read("s3", 1, OLD), expected=REGRESSED, one_shot=True
    ),
    "without memory: one read cannot": case(read("s3", 1, OLD), expected=FINE, one_shot=True),
    "as late as may be dated": case(read_when("s3", 40, NEW), expected=FINE),
    "dated later than may be": case(read_when("s3", 39, NEW), expected=FUTURE),
    "dated much later": case(read_when("s3", 100, csn(1, 701)), expected=FAR_FUTURE),
    "dated as much later as a warning": case(
        read_when("s3", 100, csn(1, 700)), expected=FUTURE, one_shot=True
    ),
    "dated in the past": case(read_when("s3", 10**9, NEW), expected=FINE),
    "a future one of a retired server ID": case(
        read_when("s3", 0, NEW), expected=FINE, params=RETIRED_1
    ),
    "no time of day, no future": case(read("s3", 0, csn(1, 10**9)), expected=FINE),
    "only the newest read tells of the future": case(
        read_when("s3", 0, NEW), read_when("s3", 50, NEW), expected=FINE
    ),
    "newest: alone with a change is right": case(
        *others_lack_until(99), expected=FINE, params=Params(reference="newest")
    ),
    "newest: who lacks it is behind, even if most do": case(
        *others_lack_until(99), of="s0", expected=TOO_BEHIND, params=Params(reference="newest")
    ),
    "newest: halves are both behind": case(
        *halves_until(99), expected=TOO_BEHIND, params=Params(reference="newest")
    ),
    "newest: a moment late": case(
        *LEVEL, read("s3", 10, OLD), expected=FINE, params=Params(reference="newest")
    ),
    "newest: a dead server knows nothing": case(
        read("s0", 0, NEW),
        died("s0", 50),
        read("s3", 99, OLD),
        expected=FINE,
        params=Params(reference="newest"),
    ),
    "server: what it has is right": case(
        *others_lack_until(99), expected=FINE, params=Params(reference="server:s3")
    ),
    "server: who lacks it is behind, even if most do": case(
        *others_lack_until(99), of="s0", expected=TOO_BEHIND, params=Params(reference="server:s3")
    ),
    "server: who has more is isolated": case(
        *others_lack_until(99), expected=TOO_ISOLATED, params=Params(reference="server:s0")
    ),
    "server: who lacks what others have is fine": case(
        *LEVEL[1:],
        read("s0", 0, OLD),
        read("s3", 99, OLD),
        expected=FINE,
        params=Params(reference="server:s0"),
    ),
    "server: itself is never behind or isolated": case(
        *(read(name, 0, *THEIRS) for name in ("s0", "s1", "s2")),
        read("s3", 0, *MINE),
        *(read(name, 99, *THEIRS) for name in ("s0", "s1", "s2")),
        read("s3", 99, *MINE),
        expected=FINE,
        params=Params(reference="server:s3"),
    ),
    "server: itself may have moved backwards": case(
        *LEVEL,
        read("s3", 20, NEW),
        read("s3", 40, OLD),
        expected=REGRESSED,
        params=Params(reference="server:s3"),
    ),
    "server: it is dead": case(
        read("s0", 0, NEW),
        died("s0", 50),
        *LEVEL[1:],
        read("s3", 99, OLD),
        expected=NO_REFERENCE,
        params=Params(reference="server:s0"),
    ),
    "server: there is none of that name": case(
        *LEVEL, read("s3", 0, NEW), expected=NO_REFERENCE, params=Params(reference="server:S0")
    ),
    "half of them have what the others lack": case(
        read("s0", 0, NEW),
        read("s1", 0, NEW),
        read("s2", 99, OLD),
        read("s3", 99, OLD),
        expected=TOO_BEHIND,
    ),
    "half of them lack what this one has": case(
        read("s0", 99, OLD),
        read("s1", 99, OLD),
        read("s2", 0, NEW),
        read("s3", 0, NEW),
        expected=FINE,
    ),
    "a server ID that it does not show counts as lacking": case(
        *TWO_IDS, read("s3", 99, NEW), expected=TOO_BEHIND
    ),
    "a retired server ID may be missing": case(
        *TWO_IDS,
        read("s3", 99, NEW),
        expected=FINE,
        params=RETIRED_2,
    ),
    "a retired server ID may be old": case(
        *LEVEL, read("s3", 99, OLD), expected=FINE, params=RETIRED_1
    ),
    "another server ID is retired": case(
        *LEVEL,
        read("s3", 99, OLD),
        expected=TOO_BEHIND,
        params=RETIRED_2,
    ),
    "isolated for as long as may be": case(*others_lack_until(10), expected=FINE),
    "isolated for longer than may be": case(*others_lack_until(10.5), expected=ISOLATED),
    "isolated until the end of the warning": case(*others_lack_until(60), expected=ISOLATED),
    "isolated for longer than a warning": case(*others_lack_until(60.5), expected=TOO_ISOLATED),
    "a majority that lacks a change is not blamed": case(
        *others_lack_until(99), of="s0", expected=FINE
    ),
    "behind and isolated: cut off both ways": case(
        *(read(name, 0, *THEIRS) for name in ("s0", "s1", "s2")),
        read("s3", 0, *MINE),
        *(read(name, 99, *THEIRS) for name in ("s0", "s1", "s2")),
        read("s3", 99, *MINE),
        expected=(TOO_BEHIND, TOO_ISOLATED),
    ),
    "split for as long as may be": case(*halves_until(10), expected=FINE),
    "split for longer than may be": case(*halves_until(10.5), expected=SPLIT),
    "split until the end of the warning": case(*halves_until(60), expected=SPLIT),
    "split for longer than a warning": case(*halves_until(60.5), expected=TOO_SPLIT),
    "split, seen from the other half": case(*halves_until(60.5), of="s0", expected=TOO_SPLIT),
    "behind while two others are a moment late is no split": case(
        *LEVEL,
        read("s3", 0, OLD),
        *three_late_at(98),
        *three_late_at(99),
        expected=TOO_BEHIND,
    ),
    "the longest of the times decides": case(
        *LEVEL,
        *(read(name, 60, NEW, csn(2, 100)) for name in ("s0", "s1", "s2")),
        read("s3", 61, OLD),
        expected=TOO_BEHIND,
    ),
    "no CSN": case(*LEVEL, read("s3", 99), expected=NO_CSN),
    "polls, and lacks a change for less than the interval and the threshold": case(
        *LEVEL, read("s3", 310, OLD), expected=FINE, servers=POLLING
    ),
    "polls, and lacks a change for longer": case(
        *LEVEL, read("s3", 360.5, OLD), expected=TOO_BEHIND, servers=POLLING
    ),
    "its link waits for the next poll": case(*LEVEL, polls("s3", 310, OLD), expected=FINE),
    "its link waits, but brought nothing": case(
        *LEVEL, polls("s3", 360.5, OLD), expected=TOO_BEHIND
    ),
    "its link waited, and connects": case(
        *LEVEL, polls("s3", 300, OLD), polls("s3", 305, OLD, every=None), expected=FINE
    ),
    "its link waited, and has lost its provider": case(
        *LEVEL, polls("s3", 300, OLD), polls("s3", 361, OLD, every=None), expected=TOO_BEHIND
    ),
    "its link waits, without memory": case(
        *LEVEL, polls("s3", 0, OLD), polls("s3", 1, OLD), expected=FINE, one_shot=True
    ),
    "its link waits, then connects, without memory": case(
        *LEVEL, polls("s3", 0, OLD), polls("s3", 1, OLD, every=None), expected=FINE, one_shot=True
    ),
    "its link has lost its provider, without memory": case(
        *LEVEL,
        polls("s3", 0, OLD, every=None),
        polls("s3", 1, OLD, every=None),
        expected=TOO_BEHIND,
        one_shot=True,
    ),
    "polls, without memory": case(
        *LEVEL,
        read("s3", 0, OLD),
        read("s3", 1, OLD),
        expected=FINE,
        one_shot=True,
        servers=POLLING,
    ),
    "polls, and has received nothing for less than the interval": case(
        *LEVEL, read("s3", 0), read("s3", 310), expected=NO_CSN, servers=POLLING
    ),
    "polls, and has received nothing for longer": case(
        *LEVEL, read("s3", 0), read("s3", 361), expected=TOO_BEHIND, servers=POLLING
    ),
    "no CSN while all others show one, in the first read": case(
        *LEVEL, read("s3", 5, took=0.5), expected=NO_CSN
    ),
    "no CSN while all others show one, for as long as may be": case(
        *LEVEL, *(read("s3", at) for at in (0, 5, 10)), expected=NO_CSN
    ),
    "no CSN while all others show one, for longer": case(
        *LEVEL, *(read("s3", at) for at in (0, 5, 10.5)), expected=BEHIND
    ),
    "no CSN while all others show one, for longer than a warning": case(
        *LEVEL, read("s3", 1), died("s3", 30), read("s3", 62), expected=TOO_BEHIND
    ),
    "no CSN any more": case(
        *LEVEL, read("s3", 0, NEW), read("s3", 50), read("s3", 111), expected=TOO_BEHIND
    ),
    "no CSN, and a bad one before": case(
        *LEVEL, read("s3", 0, "garbage"), read("s3", 50), read("s3", 60), expected=NO_CSN
    ),
    "no CSN beside one provider": case(
        read("s0", 0, NEW), read("s3", 0), read("s3", 61), expected=TOO_BEHIND
    ),
    "no CSN at the provider": case(
        read("s3", 0),
        read("s3", 61),
        read("s0", 0, NEW),
        expected=NO_CSN,
        servers=(server("s0", Role.CONSUMER), server("s3")),
    ),
    "no CSN here and at another": case(
        *LEVEL, read("s1", 1), read("s3", 0), read("s3", 99), expected=NO_CSN
    ),
    "no CSN here, and a bad one at another": case(
        *LEVEL, read("s1", 1, "garbage"), read("s3", 0), read("s3", 99), expected=NO_CSN
    ),
    "no CSN here, and another is dead": case(
        *LEVEL, died("s1", 50), read("s3", 0), read("s3", 99), expected=TOO_BEHIND
    ),
    "no CSN to another account than that of the others": case(
        *LEVEL,
        read("s3", 0),
        read("s3", 99),
        expected=NO_CSN,
        servers=(*map(server, ("s0", "s1", "s2")), server("s3", credentials=ANOTHER)),
    ),
    "no CSN, and another reference": case(
        *LEVEL,
        read("s3", 0),
        read("s3", 99),
        expected=TOO_BEHIND,
        params=Params(reference="server:s0"),
    ),
    "no CSN here, without memory": case(
        *LEVEL, read("s3", 0), read("s3", 1), expected=TOO_BEHIND, one_shot=True
    ),
    "no CSN here, without memory, a short pause": case(
        *LEVEL, read("s3", 0), read("s3", 0.3), expected=TOO_BEHIND, one_shot=True
    ),
    "no CSN here, without memory, one look": case(
        *LEVEL, read("s3", 9), expected=NO_CSN, one_shot=True
    ),
    "no CSN anywhere": case(read("s0", 0), read("s3", 0), expected=NO_CSN),
    "others without CSN have no say": case(
        read("s0", 0), read("s1", 0), read("s3", 0, OLD), expected=FINE
    ),
    "a value that is not a CSN": case(*LEVEL, read("s3", 0, "yesterday"), expected=BAD_CSN),
    "one value of two that is not a CSN": case(*LEVEL, read("s3", 0, NEW, ""), expected=BAD_CSN),
    "without memory: behind for as long as may be": case(
        *LEVEL, read("s3", 0.5, OLD), expected=FINE, one_shot=True
    ),
    "without memory: behind for longer": case(
        *LEVEL, read("s3", 0.5 + HAIR, OLD), expected=TOO_BEHIND, one_shot=True
    ),
    "with memory: behind for the same time": case(*LEVEL, read("s3", 0.75, OLD), expected=FINE),
    "without memory: isolated for as long as may be": case(
        *others_lack_until(0.5), expected=FINE, one_shot=True
    ),
    "without memory: isolated for longer": case(
        *others_lack_until(0.5 + HAIR), expected=TOO_ISOLATED, one_shot=True
    ),
    "without memory: split": case(*halves_until(0.5 + HAIR), expected=TOO_SPLIT, one_shot=True),
    "without memory: own limits": case(
        *LEVEL,
        read("s3", 0.75, OLD),
        expected=BEHIND,
        one_shot=True,
        params=Params(behind_second_look=at_most(0.7, 0.8)),
    ),
    "without memory: a short pause is enough": case(
        *LEVEL, read("s3", 0, OLD), read("s3", 0.3, OLD), expected=TOO_BEHIND, one_shot=True
    ),
    "without memory: a write between the two short looks proves nothing": case(
        *LACKING,
        read("s3", 0, OLD),
        *(read(name, 0.2, NEW) for name in ("s0", "s1", "s2")),
        read("s3", 0.3, OLD),
        expected=FINE,
        one_shot=True,
    ),
    "a range that begins at a value is a tolerance of so much": case(
        *halves_until(61),
        expected=TOO_SPLIT,
        params=Params(behind=Thresholds(critical=Range(60, inside_alerts=True))),
    ),
    "with memory: own limits": case(
        *LEVEL, read("s3", 0.75, OLD), expected=BEHIND, params=Params(behind=at_most(0.7, 0.8))
    ),
    "no limits at all": case(
        *LEVEL, read("s3", 9999, OLD), expected=FINE, params=Params(behind=Thresholds())
    ),
    "a dead server has no say: what only it had makes nobody late": case(
        read("s0", 0, NEW),
        died("s0", 50),
        read("s1", 99, OLD),
        read("s3", 99, OLD),
        expected=FINE,
    ),
    "while it lived it had a say": case(
        read("s0", 0, NEW), read("s3", 99, OLD), expected=TOO_BEHIND
    ),
    "dead servers that lacked a change isolate nobody": case(
        *others_lack_until(99), *(died(name, 100) for name in ("s0", "s1", "s2")), expected=FINE
    ),
    "a server that came back has a say again": case(
        read("s0", 0, NEW),
        died("s0", 50),
        read("s0", 60, NEW),
        read("s3", 99, OLD),
        expected=TOO_BEHIND,
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_standing_of_a_server_is_judged(case: Case) -> None:
    assert opinions(judged(case.view, case.params)) == case.expected


def all_findings(
    *seen: AnyObservation, one_shot: bool = False, params: Params | None = None
) -> dict[str, tuple[Opinion, ...]]:
    """Return what is found of every server of a cluster of four."""
    four, recent = cluster(planned("replication", params), servers=4), RecentObservations()
    for each in seen:
        recent.add(each)
    found = judge(four, recent, one_shot=one_shot)
    return {
        server.name: opinions(finding for finding in found if finding.server == server.id)
        for server in four.servers
    }


def test_a_dead_server_is_not_judged_itself_and_makes_nobody_late() -> None:
    seen = [read("s0", 0, NEW), *(read(name, 0, OLD) for name in ("s1", "s2", "s3"))]
    later = [died("s0", 98), *(read(name, 99, OLD) for name in ("s1", "s2", "s3"))]

    assert all_findings(*seen, *later) == {
        "s0": (("disconnected", CRITICAL, HARD),),
        "s1": (FINE,),
        "s2": (FINE,),
        "s3": (FINE,),
    }


def test_a_server_that_cannot_be_reached_any_more_has_no_say_and_is_not_judged_here() -> None:
    two, remembered = (
        cluster(planned("connect"), planned("replication"), servers=2),
        RecentObservations(),
    )
    refused = Failure(FailureKind.CONNECT, "connection refused")
    for each in (
        saw("connect", of="s0", at=0),
        read("s0", 1, NEW),
        saw("connect", of="s0", at=50, failure=refused),  # and nothing after it was reached
        saw("connect", of="s1", at=99),
        read("s1", 100, OLD),
    ):
        remembered.add(each)

    found = judge(two, remembered, one_shot=False)

    assert [(each.server, each.reason, each.state) for each in found] == [
        ("c/s0", "connect.connect", CRITICAL),
        ("c/s1", "connect.ok", OK),
        ("c/s1", "replication.ok", OK),
    ]


def test_the_example_of_the_documents_is_true() -> None:
    """docs/replication.md: the last write was yesterday, then one at 10:00:00; times from there."""
    day = csn(1, 0), csn(1, 86_400)
    before = [read("s3", 1, day[0]), *(read(name, 2, day[1]) for name in ("s0", "s1", "s2"))]
    told = {}
    for at, position in ((7, day[0]), (67, day[0]), (72, day[1])):
        before.append(read("s3", at, position))
        [finding] = judged(view(*before, of="s3"), Params())
        told[at] = (finding.state, *(metric.value for metric in finding.metrics))

    assert told == {
        7: (OK, 5.0, 86_400.0),
        67: (CRITICAL, 65.0, 86_400.0),
        72: (OK, 0.0, 0.0),
    }


def test_a_finding_tells_each_server_id_with_the_ranges_that_judge_it() -> None:
    others = [read(name, 0, csn(1, 100), csn(0xFFF, 7)) for name in ("s0", "s1", "s2")]
    [finding] = judged(view(*others, read("s3", 61, OLD, csn(0xFFF, 7)), of="s3"), Params())

    assert finding.summary == (
        "has not received changes of server ID 001 for 61.0 s; most others have"
    )
    assert finding.metrics == (
        Metric("behind_seconds", 61.0, "10", "60", "001"),
        Metric("csn_gap_seconds", 100.0, label="001"),
        Metric("behind_seconds", 0.0, "10", "60", "fff"),
        Metric("csn_gap_seconds", 0.0, label="fff"),
    )


def test_the_sentence_of_one_that_polls_names_its_interval() -> None:
    seen = view(*LEVEL, read("s3", 361, OLD), of="s3", servers=POLLING)
    (finding,) = judged(seen, Params())

    assert finding.summary == (
        "has not received changes of server ID 001 for 61.0 s; most others have; its poll interval "
        "of 300 s is not counted"
    )


def test_a_server_that_waits_for_its_next_poll_is_fine_and_the_sentence_says_why() -> None:
    (finding,) = judged(view(*LEVEL, polls("s3", 250, OLD), of="s3"), Params())

    assert finding.summary == (
        "has the changes that most others have; its poll interval of 300 s is not counted"
    )


@pytest.mark.parametrize(("every", "expected"), [(300.0, False), (None, True), (0.0, True)])
def test_no_second_look_at_a_server_that_waits_for_its_next_poll(
    every: float | None, expected: bool
) -> None:
    seen = view(*LEVEL, polls("s3", 0, OLD, every=every), of="s3", one_shot=True)

    assert wants_more(seen, Params()) is expected


def of_cluster(findings: Sequence[Finding]) -> dict[str, str]:
    """Return the code of what is not fine, by the name of the server."""
    return {each.server[2:]: each.code for each in findings if each.state is not OK}


def judged_with_own(
    own: dict[str, Params], *seen: AnyObservation, one_shot: bool = False
) -> dict[str, str]:
    """Return what is not fine in a cluster of three; servers may have settings of their own."""
    check = replace(
        planned("replication"), own_params={f"c/{name}": each for name, each in own.items()}
    )
    recent = RecentObservations()
    for each in seen:
        recent.add(each)
    return of_cluster(judge(cluster(check, servers=3), recent, one_shot=one_shot))


PATIENT = Params(behind=at_most(600, 3600))
NEVER_LATE = Params(behind=Thresholds())
STRICT = Params(behind=at_most(1, 5))


@pytest.mark.parametrize(
    ("own", "seconds", "expected"),
    [
        pytest.param({}, 300, {"s2": "behind"}, id="none"),
        pytest.param({"s2": PATIENT}, 300, {}, id="it may be that late"),
        pytest.param({"s2": PATIENT}, 601, {"s2": "behind"}, id="it may not be later"),
        pytest.param({"s2": NEVER_LATE}, 9999, {}, id="it is never late"),
        pytest.param({"s2": STRICT}, 6, {"s2": "behind"}, id="it must be early"),
        pytest.param({"s0": PATIENT}, 300, {"s2": "behind"}, id="another one may be late"),
    ],
)
def test_a_server_is_behind_by_its_own_thresholds(
    own: dict[str, Params], seconds: float, expected: dict[str, str]
) -> None:
    seen = [read(f"s{n}", at, NEW) for n in (0, 1) for at in (0, seconds)]

    assert judged_with_own(own, *seen, read("s2", seconds, OLD)) == expected


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        pytest.param({}, {"s0": "isolated"}, id="none may be late"),
        pytest.param({"s1": PATIENT, "s2": PATIENT}, {}, id="both may be late"),
        pytest.param({"s1": NEVER_LATE, "s2": NEVER_LATE}, {}, id="both are never late"),
        pytest.param({"s1": STRICT, "s2": STRICT}, {"s0": "isolated"}, id="both must be early"),
    ],
)
def test_a_provider_is_not_isolated_by_what_others_may_lack(
    own: dict[str, Params], expected: dict[str, str]
) -> None:
    late = [read(name, at, OLD) for name in ("s1", "s2") for at in (0, 300)]

    assert judged_with_own(own, read("s0", 0, NEW), read("s0", 300, NEW), *late) == expected


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        pytest.param({}, {"s2": "behind"}, id="none"),
        pytest.param({"s2": PATIENT}, {}, id="a moment proves nothing of it"),
        pytest.param({"s2": STRICT}, {"s2": "behind"}, id="it must be earlier than others"),
        pytest.param(
            {"s2": replace(PATIENT, behind_second_look=at_most(0.2, 0.4))},
            {"s2": "behind"},
            id="it has a threshold for a moment",
        ),
    ],
)
def test_without_memory_a_server_that_may_be_late_is_not_behind(
    own: dict[str, Params], expected: dict[str, str]
) -> None:
    seen = [read(f"s{n}", at, NEW) for n in (0, 1) for at in (0, 1)]
    late = [read("s2", at, OLD) for at in (0, 1)]

    assert judged_with_own(own, *seen, *late, one_shot=True) == expected


def test_without_memory_a_provider_is_not_isolated_by_what_others_may_lack() -> None:
    seen = [
        read(name, at, NEW if name == "s0" else OLD) for name in ("s0", "s1", "s2") for at in (0, 1)
    ]

    assert judged_with_own({}, *seen, one_shot=True) == {"s0": "isolated"}
    assert judged_with_own({"s1": PATIENT, "s2": PATIENT}, *seen, one_shot=True) == {}


def test_a_split_names_its_sides_and_has_its_time_in_the_metrics() -> None:
    (finding,) = judged(view(*halves_until(66), of="s3"), Params())

    assert finding.summary == (
        "split for 66.0 s: s0, s1 | s2, s3; this server lacks changes of server ID 001; no "
        "server is removed for a split"
    )
    assert finding.metrics == (
        Metric("behind_seconds", 66.0, "10", "60", "001"),
        Metric("split_seconds", 66.0, "10", "60", "001"),
        Metric("csn_gap_seconds", 100.0, label="001"),
        Metric("behind_seconds", 0.0, "10", "60", "002"),
        Metric("csn_gap_seconds", 0.0, label="002"),
    )


def test_of_many_servers_a_split_names_some() -> None:
    names = [f"s{n:02}" for n in range(24)]
    seen = [
        read(name, at, *(MINE if n < 12 else THEIRS))
        for at in (0, 99)
        for n, name in enumerate(names)
    ]
    (finding,) = judged(view(*seen, of="s00"), Params())

    assert "s06, s07 and 4 more | s12, s13" in finding.summary


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ([*LEVEL, read("s3", 0, OLD), read("s3", 1, OLD)], "changes of server ID 001 for"),
        (others_lack_until(1), "that most others have lacked for"),
        (halves_until(1), "split for"),
    ],
)
def test_without_memory_a_time_is_the_least_that_it_can_be(
    seen: list[AnyObservation], words: str
) -> None:
    summaries = [each.summary for each in judged(view(*seen, of="s3", one_shot=True), Params())]

    (summary,) = [each for each in summaries if words in each]
    since = r" at least \d+\.\d s \(as long as this command has watched\)"
    assert re.match(since, summary.partition(words)[2])


def test_a_server_id_has_the_name_of_its_server_if_that_is_known() -> None:
    seen = view(*others_lack_until(99), of="s3")
    (finding,) = judged(replace(seen, writers=lambda: {1: "ldap1", 7: "ldap7"}), Params())

    assert "changes of server ID 001 (ldap1) that most others" in finding.summary


def test_an_isolated_server_has_its_time_in_the_metrics() -> None:
    (finding,) = judged(view(*others_lack_until(99), of="s3"), Params())

    assert Metric("isolated_seconds", 99.0, "10", "60", "001") in finding.metrics


def test_a_server_id_that_is_lacking_altogether_has_its_metric_too() -> None:
    [finding] = judged(view(*TWO_IDS, read("s3", 99, NEW), of="s3"), Params())

    assert Metric("behind_seconds", 99.0, "10", "60", "002") in finding.metrics


def test_a_sentence_names_all_server_ids_and_the_longest_time() -> None:
    others = [
        read(name, at, *positions)
        for at, positions in ((0.0, [csn(0x1A, 9)]), (60.0, [csn(0x1A, 9), csn(1, 9)]))
        for name in ("s0", "s1", "s2")
    ]
    [finding] = judged(view(*others, read("s3", 70.5, csn(2, 0)), of="s3"), Params())

    assert finding.summary == (
        "has never received changes of server ID 001, 01a, missing for 70.5 s; most others have"
    )


POSSIBLE_CAUSES = "possible causes are a restored backup, or that slapd ended without a checkpoint"


def sentences(*seen: AnyObservation, **settings: Any) -> list[str]:
    """Return what is told of s3."""
    return [finding.summary for finding in judged(view(*seen, of="s3"), Params(**settings))]


def test_a_server_id_that_it_never_showed_is_named_beside_one_that_is_only_old() -> None:
    others = [read(name, 0, NEW, csn(2, 0), csn(3, 0)) for name in ("s0", "s1", "s2")]
    lacking = read("s3", 99, OLD, csn(2, 0))

    assert sentences(*others, lacking) == [
        (
            "has not received changes of server ID 001 for 99.0 s and has never received changes "
            "of server ID 003, missing for 99.0 s; most others have"
        )
    ]


def test_a_server_id_that_it_once_showed_was_not_never_received() -> None:
    seen = [*TWO_IDS, read("s3", 0, NEW, csn(2, 0)), read("s3", 99, NEW)]

    assert sentences(*seen) == [
        "has not received changes of server ID 002 for 99.0 s; most others have",
        (
            "lacks changes that it had: server ID 002 went from 2026-01-01T00:00:00Z to "
            f"nothing; {POSSIBLE_CAUSES}"
        ),
    ]


def test_a_regress_is_told_from_when_to_when() -> None:
    was, now = csn(2, 0.75), csn(2, 0.5)

    assert sentences(read("s3", 0, NEW, was), read("s3", 5, OLD, now)) == [
        (
            "lacks changes that it had and that no server that can be read has "
            "(`ldaphealth baseline c` accepts it): server ID 001 went back from "
            "2026-01-01T00:01:40Z to "
            f"2026-01-01T00:00:00Z; server ID 002 went back from {was} to {now}; "
            f"{POSSIBLE_CAUSES}"
        )
    ]


def test_a_change_of_the_future_is_told_with_its_date_and_the_ranges() -> None:
    seen = view(read_when("s3", 0, csn(1, 700), csn(2, 100), csn(3, 1)), of="s3")
    [finding] = judged(seen, Params())

    assert finding.summary == (
        "has a change of server ID 001, 002 that is dated 2026-01-01T00:11:40Z, 700 s in the "
        "future: the clock of the server that made it is wrong, or the clock of this host"
    )
    assert finding.metrics == (
        Metric("future_seconds", 700.0, "60", "600", "001"),
        Metric("future_seconds", 100.0, "60", "600", "002"),
    )


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("newest", "has not received changes of server ID 001 for 99.0 s; another server has"),
        ("server:s1", "has not received changes of server ID 001 for 99.0 s; s1 has"),
        (
            "server:s9",
            (
                "nothing to compare with: the reference server s9 cannot be read, or is not a "
                "server of this cluster"
            ),
        ),
    ],
)
def test_a_sentence_says_with_what_it_was_compared(reference: str, expected: str) -> None:
    assert sentences(*LEVEL, read("s3", 99, OLD), reference=reference) == [expected]


def test_who_has_more_than_the_reference_server_is_told_so() -> None:
    assert sentences(*others_lack_until(99), reference="server:s0") == [
        "has changes of server ID 001 that s0 has lacked for 99.0 s"
    ]


@pytest.mark.parametrize("wrong", [Range(10), Range(0, 5, inside_alerts=True)])
def test_thresholds_that_alert_on_what_is_level_are_refused(wrong: Range) -> None:
    with pytest.raises(ValueError, match="behind alerts on 0 s"):
        Params(behind=Thresholds(critical=wrong))
    with pytest.raises(ValueError, match="behind_second_look alerts on 0 s"):
        Params(behind_second_look=Thresholds(warning=wrong))


def of_two_bases(of: str, at: float, a: str, b: str) -> AnyObservation:
    """Return a read of two naming contexts; an empty text is none."""
    shown = {"dc=a": (a,) if a else (), "dc=b": (b,) if b else ()}
    return saw("replication", {ATTRIBUTE: shown}, of=of, at=at)


BASES = Params(bases=(DN("dc=a"), DN("dc=b")))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        pytest.param(NEW, NEW, (FINE, FINE), id="both level"),
        pytest.param(NEW, OLD, (FINE, TOO_BEHIND), id="behind in one"),
        pytest.param(OLD, OLD, (TOO_BEHIND, TOO_BEHIND), id="behind in both"),
        pytest.param(NEW, "", (FINE, NO_CSN), id="one shows nothing"),
        pytest.param("garbage", OLD, (BAD_CSN, TOO_BEHIND), id="one shows garbage"),
    ],
)
def test_each_naming_context_is_judged_by_itself(
    a: str, b: str, expected: tuple[Opinion, ...]
) -> None:
    others = [of_two_bases(name, 0, NEW, NEW) for name in ("s0", "s1", "s2")]

    seen = view(*others, of_two_bases("s3", 99, a, b), of="s3")

    assert opinions(judged(seen, BASES)) == expected


def test_of_several_naming_contexts_sentences_and_metrics_name_theirs() -> None:
    others = [of_two_bases(name, 0, NEW, NEW) for name in ("s0", "s1", "s2")]
    fine, behind = judged(view(*others, of_two_bases("s3", 99, NEW, OLD), of="s3"), BASES)

    assert fine.summary == "dc=a: has the changes that most others have"
    assert fine.metrics == (
        Metric("behind_seconds", 0.0, "10", "60", "001 dc=a"),
        Metric("csn_gap_seconds", 0.0, label="001 dc=a"),
    )
    assert behind.summary == (
        "dc=b: has not received changes of server ID 001 for 99.0 s; most others have"
    )
    assert behind.metrics[0] == Metric("behind_seconds", 99.0, "10", "60", "001 dc=b")


def test_a_second_look_is_wanted_of_who_lacks_something_in_any_naming_context() -> None:
    others = [of_two_bases(name, 0, NEW, NEW) for name in ("s0", "s1", "s2")]

    assert wants_more(view(*others, of_two_bases("s3", 0, NEW, OLD), of="s3"), BASES)
    assert not wants_more(view(*others, of_two_bases("s3", 0, NEW, NEW), of="s3"), BASES)


def test_another_naming_context_of_the_same_server_has_not_moved_backwards() -> None:
    """As after a reload of the configuration with another base."""
    seen = view(of_two_bases("s3", 0, NEW, OLD), of_two_bases("s3", 5, NEW, OLD), of="s3")

    assert opinions(judged(seen, Params(base=DN("dc=a")))) == (FINE,)
    assert opinions(judged(seen, Params(base=DN("dc=b")))) == (FINE,)


@pytest.mark.parametrize("wrong", ["", "most", "Newest", "server:", "server:a/b", "server:s0\n"])
def test_a_reference_that_is_none_is_refused_with_what_would_be_one(wrong: str) -> None:
    with pytest.raises(ValueError, match="majority, newest, or server:NAME"):
        Params(reference=wrong)


def test_servers_that_take_turns_in_being_first_are_no_finding() -> None:
    """Consumers that poll one provider in turn look like two providers with one server ID."""
    seen = [read(name, at, csn(1, at)) for at, name in enumerate(("s0", "s3") * 5)]

    assert opinions(judged(view(*seen, of="s3"), Params())) == (FINE,)


def test_a_bad_csn_is_quoted_harmlessly() -> None:
    [finding] = judged(view(read("s3", 0, "\x1b[2J\n"), of="s3"), Params())

    assert finding.summary.startswith(r"'\x1b[2J\n' is not a CSN")


def test_a_server_with_a_bad_csn_is_told_alone_and_the_others_are_judged() -> None:
    seen = [read("s0", 0, "garbage"), read("s1", 0, NEW), read("s2", 0, NEW), read("s3", 99, OLD)]

    assert all_findings(*seen) == {
        "s0": (BAD_CSN,),
        "s1": (FINE,),
        "s2": (FINE,),
        "s3": (TOO_BEHIND,),
    }


def test_a_bad_csn_is_forgotten_with_the_next_good_read() -> None:
    seen = view(*LEVEL, read("s3", 0, "garbage"), read("s3", 5, NEW), of="s3")

    assert opinions(judged(seen, Params())) == (FINE,)


@pytest.mark.parametrize(
    ("is_provider", "role", "expected"),
    [
        pytest.param((False, False), Role.PROVIDER, ("not_applicable", OK, SOFT), id="none"),
        pytest.param((False, True), Role.PROVIDER, NO_CSN, id="another can replicate"),
        pytest.param((False, None), Role.PROVIDER, NO_CSN, id="another shows contextCSN"),
        pytest.param((False, False), Role.CONSUMER, NO_CSN, id="another is a consumer"),
    ],
)
def test_where_no_server_replicates_contextcsn_is_not_expected(
    is_provider: tuple[bool | None, bool | None], role: Role, expected: Opinion
) -> None:
    seen = [
        saw("replication", {"contextCSN": {"": ()}, "is_provider": each}, of=f"s{n}")
        for n, each in enumerate(is_provider)
    ]
    whole = replace(view(*seen), servers=(server("s0"), server("s1", role)))

    assert opinions(judged(whole, Params())) == (expected,)


def test_a_server_that_shows_no_csn_any_more_is_not_judged_by_what_it_showed() -> None:
    seen = view(*LEVEL, read("s3", 0, NEW), read("s3", 50), of="s3")

    assert opinions(judged(seen, Params())) == (NO_CSN,)


def test_a_server_that_shows_no_csn_any_more_has_no_say() -> None:
    seen = view(read("s0", 0, NEW), read("s0", 50), read("s3", 99, OLD), of="s3")

    assert opinions(judged(seen, Params())) == (FINE,)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param([*LEVEL, read("s3", 0, NEW)], False, id="level"),
        pytest.param([*LEVEL, read("s3", 0, OLD)], True, id="lacks a change"),
        pytest.param([read("s3", 0, OLD), *LEVEL], True, id="lacks a change, read before"),
        pytest.param([*LACKING, read("s3", 0, NEW)], False, id="has what others lack"),
        pytest.param([*TWO_IDS, read("s3", 0, NEW)], True, id="lacks a server ID"),
        pytest.param([*LEVEL, read("s3", 0)], True, id="shows no CSN, all others do"),
        pytest.param([read("s0", 0), read("s3", 0)], False, id="no server shows a CSN"),
        pytest.param([*LEVEL, read("s3", 0, "garbage")], False, id="shows a bad CSN"),
        pytest.param(
            [read("s0", 0, NEW), died("s0", 1), read("s3", 0, OLD)],
            False,
            id="lacks what a dead had",
        ),
        pytest.param([read("s3", 0, OLD)], False, id="alone"),
    ],
)
def test_a_second_look_is_wanted_of_who_lacks_something(
    seen: list[AnyObservation], expected: bool
) -> None:
    assert wants_more(view(*seen, of="s3", one_shot=True), Params()) is expected


def test_no_second_look_for_what_only_a_consumer_holds() -> None:
    seen = still(s0=(NEW,), s1=(NEW, csn(0, 9)), s3=(NEW,))

    assert not wants_more(view(*seen, of="s3", servers=ONE_PROVIDER), Params())
    assert wants_more(view(*seen, of="s3", servers=tuple(map(server, NAMES))), Params())


@pytest.mark.parametrize(
    ("retired", "expected"),
    [pytest.param(2, False, id="retired"), pytest.param(1, True, id="another is retired")],
)
def test_no_second_look_for_a_retired_server_id(retired: int, expected: bool) -> None:
    seen = view(*TWO_IDS, read("s3", 0, NEW), of="s3")

    assert wants_more(seen, Params(retired_server_ids=(ServerId(retired),))) is expected


def test_the_bad_csn_of_one_server_does_not_end_the_second_look_at_another() -> None:
    seen = view(read("s0", 0, "garbage"), read("s1", 0, NEW), read("s3", 0, OLD), of="s3")

    assert wants_more(seen, Params()) is True


NAMES = ("s0", "s1", "s2", "s3")
VECTORS = st.dictionaries(st.integers(1, 3), st.integers(0, 4), min_size=1).map(
    lambda written: tuple(csn(sid, after) for sid, after in sorted(written.items()))
)
FIRST_LOOKS = st.lists(st.tuples(st.sampled_from(NAMES), VECTORS), min_size=1).map(
    lambda seen: [read(of, at, *vector) for at, (of, vector) in enumerate(dict(seen).items())]
)
SIGHTINGS = st.lists(st.tuples(st.sampled_from(NAMES), VECTORS | st.none()), min_size=1).map(
    lambda seen: [
        died(of, 40.0 * at) if vector is None else read(of, 40.0 * at, *vector)
        for at, (of, vector) in enumerate(seen)
    ]
)


@given(FIRST_LOOKS)
def test_who_wants_no_second_look_was_not_proven_behind(seen: list[AnyObservation]) -> None:
    strict = Params(behind_second_look=Thresholds(critical=Range(end=0)))
    for each in seen:
        look = view(*seen, of=each.server.removeprefix("c/"), one_shot=True)
        if look.latest.failure is not None:  # then the judge of the check does not run
            continue
        codes = {finding.code for finding in judged(look, strict)}
        if not wants_more(look, strict):
            assert "behind" not in codes


@given(SIGHTINGS)
def test_a_server_is_ok_once_or_told_what_is_wrong_and_never_both(
    seen: list[AnyObservation],
) -> None:
    for name, found in all_findings(*seen).items():
        codes = [code for code, _, _ in found]
        dead = [each for each in seen if each.server == f"c/{name}"][-1:]
        if not dead:
            assert codes == []
        elif dead[0].failure is not None:
            assert codes == ["disconnected"]
        else:
            known = ("behind", "isolated", "split", "regressed")
            wrong: list[str] = [c for c in known if c in codes]
            assert codes == (wrong or ["ok"])


@given(SIGHTINGS, st.integers(0, 10**6))
def test_only_differences_of_times_count(seen: list[AnyObservation], later: int) -> None:
    moved = [
        died(each.server[2:], each.started_at + later)
        if each.failure
        else saw("replication", each.facts, of=each.server[2:], at=each.started_at + later)
        for each in seen
    ]

    assert all_findings(*moved) == all_findings(*seen)


@given(VECTORS, st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 10**6)), min_size=1))
def test_while_all_show_the_same_nobody_is_anything_for_any_time(
    vector: tuple[str, ...], seen: list[tuple[str, int]]
) -> None:
    looks = [read(of, at, *vector) for of, at in sorted(seen, key=lambda each: each[1])]

    assert set(all_findings(*looks, one_shot=True).values()) <= {(), (FINE,)}


REFERENCES = st.sampled_from(["majority", "newest", "server:s1"])


@given(SIGHTINGS, st.permutations(NAMES), REFERENCES)
def test_servers_of_other_names_are_found_the_same(
    seen: list[AnyObservation], names: list[str], reference: str
) -> None:
    new = dict(zip(NAMES, names, strict=True))
    moved = [
        died(new[each.server[2:]], each.started_at)
        if each.failure
        else saw("replication", each.facts, of=new[each.server[2:]], at=each.started_at)
        for each in seen
    ]
    renamed = reference.replace("s1", new["s1"]) if ":" in reference else reference
    found = all_findings(*seen, params=Params(reference=reference))
    again = all_findings(*moved, params=Params(reference=renamed))

    assert again == {new[name]: of for name, of in found.items()}


@given(SIGHTINGS, REFERENCES, st.integers(1, 10**6))
def test_time_that_passes_makes_nobody_behind_who_lacks_nothing(
    seen: list[AnyObservation], reference: str, later: int
) -> None:
    params = Params(reference=reference)
    last = {each.server[2:]: each for each in seen if not each.failure}
    again = [
        saw("replication", each.facts, of=name, at=40.0 * len(seen) + later)
        for name, each in last.items()
    ]
    look = [*seen, *again]
    for name in last:
        of = view(*look, of=name)
        if not wants_more(of, params):
            assert "behind" not in {finding.code for finding in judged(of, params)}


@given(SIGHTINGS)
def test_a_regress_is_told_whatever_the_others_show(seen: list[AnyObservation]) -> None:
    for name, found in all_findings(*seen).items():
        alone = [each for each in seen if each.server == f"c/{name}"]
        if alone:
            codes = {code for code, _, _ in found}
            codes_alone = {code for code, _, _ in all_findings(*alone)[name]}
            assert ("regressed" in codes) is ("regressed" in codes_alone)


def test_positions_that_grow_in_every_read_are_remembered_for_hours() -> None:
    """An hour of reads every 5 s, each another position; s3 was cut off and restored long ago."""
    four = cluster(planned("replication"), servers=4)
    recent = RecentObservations({"replication": Retention(covers=CHECK.covers)})
    for at in range(0, 3600, 5):
        for name in ("s0", "s1", "s2"):
            recent.add(read(name, at, csn(1, at)))
        own = at if at < 600 else 100
        recent.add(read("s3", at, csn(1, own), csn(4, at)))
    found = [each for each in judge(four, recent, one_shot=False) if each.server == "c/s3"]

    assert [each.code for each in found] == ["behind", "isolated", "regressed"]
    behind = max(m.value for m in found[0].metrics if m.name == "behind_seconds")
    assert 0.75 * 3000 < behind <= 3000  # never more than is true, and most of it
    assert len(recent.of_check("replication")["c/s0"]) < 130


@given(SIGHTINGS, st.integers(1, 3))
def test_older_reads_that_are_spared_make_nobody_later(
    seen: list[AnyObservation], keep: int
) -> None:
    """What grew is told as late as it was, or less; who is blamed stays the same."""
    four = cluster(planned("replication", Params(behind=Thresholds())), servers=4)
    whole, few = (
        RecentObservations(),
        RecentObservations({"replication": Retention(newest=keep, covers=grew, older=1000)}),
    )
    for each in seen:
        whole.add(each)
        few.add(each)

    def behind(recent: RecentObservations) -> dict[tuple[str, str, str], float]:
        found = judge(four, recent, one_shot=False)
        return {(f.server, m.name, m.label): m.value for f in found for m in f.metrics}

    assert behind(few) == behind(whole)


def test_the_sentence_names_the_superior_that_has_context_csn() -> None:
    facts = {ATTRIBUTE: {"ou=a,dc=x": ()}, "superiors": {"ou=a,dc=x": "dc=x"}}
    (finding,) = judged(view(saw("replication", facts)), Params(base=DN("ou=a,dc=x")))

    assert finding.summary == (
        "no contextCSN at ou=a,dc=x, but at dc=x, as for a glued database (`subordinate` in "
        "slapd.conf(5)): set that as `base`"
    )


class Endless:
    """A session with a server that says as much as it can."""

    server = server("s0")

    def read_once(self, base: str, attributes: object) -> dict[str, tuple[str, ...]]:
        """Return a value that is no CSN, and more values than there are servers."""
        assert (base, attributes) == ("dc=x", (ATTRIBUTE,))
        return {ATTRIBUTE.lower(): ("x" * 60_000, *map(str, range(4000)))}

    def once(self, key: str, _: object) -> LinkFacts:
        """Return that it shows no links."""
        assert key == "links"
        return LinkFacts(0, ())


def test_of_a_server_that_says_too_much_little_is_remembered() -> None:
    params = Params(base=DN("dc=x"))
    facts = observe(cast("Session", Endless()), params)

    assert len(str(facts)) < 4000
    (finding,) = judged(view(saw("replication", facts)), params)
    assert (finding.code, len(finding.summary) < 400) == ("bad_csn", True)
