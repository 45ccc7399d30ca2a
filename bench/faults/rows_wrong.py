"""Rows: servers that answer, and answer other clients or with other data than they should."""

from __future__ import annotations

from bench.faults import evidence
from bench.faults import proxy as network
from bench.faults.fault import Fault, Kind, in_order
from bench.faults.site import ALL, Shape
from demo.node import Node
from demo.tree import CHECK_DN, PEOPLE, SUFFIX, person

UNWILLING, NO_SUCH_OBJECT, INVALID_CREDENTIALS, CONFIDENTIALITY, SIZE_LIMIT = 53, 32, 49, 13, 4
REPLICATION_SECONDS = 80.0  # by default a minute behind is CRITICAL
CONTENT_SECONDS = 70.0
START_TLS_ANSWER_BYTES = 14

# Which setting finds what the default one misses, and at what price.
WRITE = (
    "The check `write` with a `container` finds it; it costs a modify and a compare at each "
    "provider in each probe, and replication carries each change."
)
SEARCH = (
    "The check `search` with `base`, `scope: one` and `entries` finds it; it costs reading these "
    "entries in each probe, and a limit that follows when entries are added or removed."
)
COMPARE = (
    "The check `compare` of a known value, with `effect: out`, finds it; it costs an operation in "
    "each probe, and sees this one value."
)
CONTENT_CHECK = (
    "The check `content` with `effect: out` finds it within `cover_hours`; it costs reading every "
    "entry of every server once in this time."
)
VALUES = (
    "The check `content` with `values: true` and `effect: out` finds it within `cover_hours`; it "
    "costs reading every value of every entry once in this time."
)
NUMBER = (
    "The check `entry_count` reports it; with `effect: out` it takes the server out, also where "
    "the entries that are too many are on the other servers."
)
BEHIND = (
    "The check `replication` with a lower `behind` finds it sooner; the price is that a server "
    "which is behind for a moment under load goes out."
)

RIGHTS = (
    Fault(
        name="password refused by one",
        kind=Kind.FAULT,
        injected="one server answers the bind of the check account with invalidCredentials",
        inject=lambda site: site.on(Node.refuse_password, 2),
        undone="it takes the password",
        shows={2: evidence.code(INVALID_CREDENTIALS)},
        out=(2,),
    ),
    Fault(
        name="binds only with TLS",
        kind=Kind.FAULT,
        injected="one server demands confidentiality for simple binds (olcSecurity)",
        inject=lambda site: site.demand_confidentiality(2),
        undone="it demands none",
        shows={2: evidence.code(CONFIDENTIALITY)},
        out=(2,),
    ),
    Fault(
        name="searches forbidden",
        kind=Kind.FAULT,
        injected="one server takes no searches (olcRestrict)",
        inject=lambda site: site.restrict(2, "search"),
        undone="olcRestrict is removed",
        shows={2: evidence.code(UNWILLING)},
        out=(2,),
    ),
    Fault(
        name="suffix hidden",
        kind=Kind.FAULT,
        injected="an access rule of one server hides the whole tree",
        inject=lambda site: site.node(2).hide_base(SUFFIX),
        undone="the rule is removed",
        shows={2: evidence.code(NO_SUCH_OBJECT, SUFFIX, "base")},
        out=(2,),
    ),
    Fault(
        name="people hidden",
        kind=Kind.FAULT,
        injected="an access rule of one server hides the people, and nothing else",
        inject=lambda site: site.node(2).hide_base(PEOPLE),
        undone="the rule is removed",
        shows={2: evidence.code(NO_SUCH_OBJECT)},
        out=(2,),
        caught_by=SEARCH,
    ),
    Fault(
        name="an attribute hidden",
        kind=Kind.FAULT,
        injected="an access rule of one server hides the attribute sn of all people",
        inject=lambda site: site.forbid(2, f'to dn.children="{PEOPLE}" attrs=sn by * none'),
        undone="the rule is removed",
        shows={2: evidence.value(person(1), "sn", "")},
        out=(2,),
        caught_by=COMPARE,
    ),
    Fault(
        name="a small size limit",
        kind=Kind.FAULT,
        injected="one server ends searches after 5 entries (olcLimits)",
        inject=lambda site: site.limit_size(2, 5),
        undone="the limit is as before",
        shows={2: evidence.code(SIZE_LIMIT)},
        out=(2,),
        caught_by=SEARCH,
    ),
)
WRITES = (
    Fault(
        name="read-only",
        kind=Kind.FAULT,
        injected="the database of one provider is read-only (olcReadOnly)",
        inject=lambda site: site.node(2).read_only(),
        undone="it takes writes",
        shows={2: evidence.write_code(UNWILLING)},
        out=(2,),
        caught_by=WRITE,
    ),
    Fault(
        name="the right to write removed",
        kind=Kind.FAULT,
        injected="one provider lets the check account read everything, and write nothing",
        inject=lambda site: site.forbid(2, f'to * by dn.exact="{CHECK_DN}" read by * break'),
        undone="the rule is removed",
        shows={2: evidence.CANNOT_WRITE_CANARY},
        out=(2,),
        caught_by=WRITE,
    ),
)
CONTENT = (
    Fault(
        name="people lost",
        kind=Kind.FAULT,
        injected="all people of one server are gone, its contextCSN is not",
        inject=lambda site: site.node(2).empty(),
        undone="they are put back",
        shows={2: evidence.people(0)},
        out=(2,),
        caught_by=NUMBER,
    ),
    Fault(
        name="one entry lost",
        kind=Kind.FAULT,
        injected="one of 20 people of one server is gone, its contextCSN is not (slapmodify)",
        inject=lambda site: site.lose(2, 7),
        undone="the entry is put back",
        shows={2: evidence.people(19)},
        out=(2,),
        caught_by=NUMBER,
    ),
    Fault(
        name="a known value changed",
        kind=Kind.FAULT,
        injected="one server has another sn of user1 under the same entryCSN (slapmodify)",
        inject=lambda site: site.falsify(2, 1),
        undone="the value is put back",
        shows={2: evidence.wrong_under_one_csn(person(1), "sn", "wrong")},
        out=(2,),
        caught_by=COMPARE,
    ),
    Fault(
        name="any value changed",
        kind=Kind.FAULT,
        injected="one server has another sn of user9 under the same entryCSN (slapmodify)",
        inject=lambda site: site.falsify(2, 9),
        undone="the value is put back",
        shows={2: evidence.wrong_under_one_csn(person(9), "sn", "wrong")},
        out=(2,),
        caught_by=VALUES,
        hold_seconds=CONTENT_SECONDS,
    ),
    Fault(
        name="an old entry under a new contextCSN",
        kind=Kind.FAULT,
        injected="one server has an entry as it was before, and the contextCSN of all (slapmodify)",
        inject=lambda site: site.age(2, 9),
        undone="the entry is as on the others",
        shows={2: evidence.value(person(9), "description", "as it was before")},
        out=(2,),
        caught_by=CONTENT_CHECK,
        hold_seconds=CONTENT_SECONDS,
    ),
    Fault(
        name="database deleted",
        kind=Kind.FAULT,
        injected="one server begins with nothing, and replication brings it nothing",
        inject=in_order(
            lambda site: site.node(2).cut_replication(), lambda site: site.delete_database(2)
        ),
        undone="replication brings it everything",
        shows={2: evidence.code(INVALID_CREDENTIALS)},
        out=(2,),
    ),
)
REPLICATION = (
    Fault(
        name="replication cut",
        kind=Kind.FAULT,
        injected="one server receives nothing, others take writes",
        inject=in_order(
            lambda site: site.node(4).cut_replication(), lambda site: site.write_for_long(1)
        ),
        undone="it receives",
        shows={4: evidence.LACKS},
        out=(4,),
        caught_by=BEHIND,
        hold_seconds=REPLICATION_SECONDS,
    ),
    Fault(
        name="replication cut, one change",
        kind=Kind.FAULT,
        injected="one server receives nothing; one change is made elsewhere, then no client writes",
        inject=in_order(
            lambda site: site.node(4).cut_replication(), lambda site: site.node(1).write()
        ),
        undone="it receives",
        shows={4: evidence.LACKS},
        out=(4,),
        caught_by=BEHIND,
        hold_seconds=REPLICATION_SECONDS,
    ),
    Fault(
        name="isolated writer",
        kind=Kind.FAULT,
        injected="one provider takes writes which no other receives",
        inject=in_order(
            lambda site: site.cluster.isolate(site.node(4)), lambda site: site.write_for_long(4)
        ),
        undone="all receive from it",
        shows=dict.fromkeys(ALL, evidence.DIFFERS),
        out=(4,),
        caught_by=BEHIND,
        hold_seconds=REPLICATION_SECONDS,
    ),
    Fault(
        name="isolated from both sides",
        kind=Kind.FAULT,
        injected="one provider takes writes, sends and receives nothing; others take writes too",
        inject=in_order(
            lambda site: site.cluster.isolate(site.node(4)),
            lambda site: site.node(4).cut_replication(),
            lambda site: site.write_for_long(1, 4),
        ),
        undone="all links are there again",
        shows=dict.fromkeys(ALL, evidence.DIFFERS),
        out=(4,),
        caught_by=BEHIND,
        hold_seconds=REPLICATION_SECONDS,
    ),
    Fault(
        name="restored from an older backup",
        kind=Kind.FAULT,
        injected="one server gets its database of before a change, and receives nothing",
        prepare=lambda site: site.back_up(2),
        inject=in_order(lambda site: site.node(2).cut_replication(), lambda site: site.restore(2)),
        undone="it receives",
        shows={2: evidence.LACKS},
        out=(2,),
        caught_by=BEHIND,
        hold_seconds=REPLICATION_SECONDS,
    ),
    Fault(
        name="consumer cut off",
        kind=Kind.FAULT,
        injected="the only consumer receives nothing, its provider takes writes",
        inject=in_order(
            lambda site: site.node(4).cut_replication(), lambda site: site.write_for_long(1)
        ),
        undone="it receives",
        shows={4: evidence.LACKS},
        out=(4,),
        caught_by=BEHIND,
        hold_seconds=REPLICATION_SECONDS,
        shape=Shape(consumers={4: 1}),
    ),
)
TLS = (
    Fault(
        name="certificate expired",
        kind=Kind.FAULT,
        injected="the certificate of one server expired yesterday; clients use StartTLS",
        inject=lambda site: site.present(2, "expired", days=-1),
        undone="it presents a good one",
        shows={2: evidence.REFUSES_TLS},
        out=(2,),
        shape=Shape(tls=True),
    ),
    Fault(
        name="certificate of another host",
        kind=Kind.FAULT,
        injected="the certificate of one server carries the name of another host",
        inject=lambda site: site.present(2, "another", identity="another.test"),
        undone="it presents a good one",
        shows={2: evidence.REFUSES_TLS},
        out=(2,),
        shape=Shape(tls=True),
    ),
    Fault(
        name="handshake never ends",
        kind=Kind.FAULT,
        injected="StartTLS is answered, and nothing of the handshake",
        inject=lambda site: site.behave(
            network.only_bytes(START_TLS_ANSWER_BYTES, network.freeze), 2
        ),
        undone="handshakes end",
        shows={2: evidence.HANGS},
        out=(2,),
        shape=Shape(tls=True),
    ),
)
ROWS = (*RIGHTS, *WRITES, *CONTENT, *REPLICATION, *TLS)
