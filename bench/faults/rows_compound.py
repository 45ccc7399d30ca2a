"""Rows where what strikes all alike and a fault of some servers come together."""

from __future__ import annotations

import time

from bench.faults import evidence
from bench.faults import proxy as network
from bench.faults.fault import Fault, Kind, in_order
from bench.faults.rows_wrong import SEARCH
from bench.faults.site import ALL, Site
from demo.node import Node
from demo.tree import SUFFIX

UNWILLING, NO_SUCH_OBJECT, INVALID_CREDENTIALS = 53, 32, 49
AWAY_SECONDS = 4.0


FLOOR = (
    "A lower `min_in_service` lets it go out; the price is that soft failures may leave as few "
    "servers as that."
)


def _one_stays_away(site: Site) -> None:
    site.drop(*ALL)
    time.sleep(AWAY_SECONDS)
    site.restore_network(1, 2, 3)


def _stale_password(site: Site) -> None:
    site.node(4).cut_replication()
    site.change_password()


def _killed_then_password(site: Site) -> None:
    site.kill(2)
    time.sleep(8)
    site.change_password()


ROWS = (
    Fault(
        name="password expired, one killed",
        kind=Kind.COMPOUND,
        injected="the check account has another password everywhere, and one slapd is killed",
        inject=in_order(lambda site: site.change_password(), lambda site: site.kill(2)),
        undone="slapd is started, and the password is the old one",
        shows={1: evidence.code(INVALID_CREDENTIALS), 2: evidence.BREAKS}
        | {each: evidence.code(INVALID_CREDENTIALS) for each in (3, 4)},
        out=(2,),
        hold_seconds=20,
    ),
    Fault(
        name="password expired, one frozen",
        kind=Kind.COMPOUND,
        injected="the check account has another password everywhere, and one slapd is frozen",
        inject=in_order(lambda site: site.change_password(), lambda site: site.freeze(2)),
        undone="SIGCONT, and the password is the old one",
        shows={1: evidence.code(INVALID_CREDENTIALS), 2: evidence.HANGS}
        | {each: evidence.code(INVALID_CREDENTIALS) for each in (3, 4)},
        out=(2,),
        hold_seconds=20,
    ),
    Fault(
        name="one killed, then the password expired",
        kind=Kind.COMPOUND,
        injected="one slapd is killed; 8 s later the check account has another password",
        inject=_killed_then_password,
        undone="slapd is started, and the password is the old one",
        shows={1: evidence.code(INVALID_CREDENTIALS), 2: evidence.BREAKS}
        | {each: evidence.code(INVALID_CREDENTIALS) for each in (3, 4)},
        out=(2,),
        hold_seconds=25,
    ),
    Fault(
        name="password changed, one does not receive it",
        kind=Kind.COMPOUND,
        injected="the check account has another password but for a server that is cut off",
        inject=_stale_password,
        undone="the password is the old one, and the server receives",
        shows={each: evidence.code(INVALID_CREDENTIALS) for each in (1, 2, 3)}
        | {4: evidence.code(0)},
        open=(4,),  # it lacks a change, but no client that binds to it can know
        hold_seconds=25,
    ),
    Fault(
        name="search base renamed, one refuses the bind",
        kind=Kind.COMPOUND,
        injected="ou=people is renamed, and one server refuses the check account's password",
        inject=in_order(
            lambda site: site.rename_people(), lambda site: site.on(Node.refuse_password, 2)
        ),
        undone="the old name, and the server takes the password",
        shows={each: evidence.code(NO_SUCH_OBJECT) for each in (1, 3, 4)}
        | {2: evidence.code(INVALID_CREDENTIALS)},
        out=(2,),
        caught_by=FLOOR,
        hold_seconds=25,
    ),
    Fault(
        name="search base renamed, one killed",
        kind=Kind.COMPOUND,
        injected="ou=people is renamed, and one slapd is killed",
        inject=in_order(lambda site: site.rename_people(), lambda site: site.kill(2)),
        undone="the old name, and slapd is started",
        shows={each: evidence.code(NO_SUCH_OBJECT) for each in (1, 3, 4)} | {2: evidence.BREAKS},
        out=(2,),
        hold_seconds=25,
    ),
    Fault(
        name="all slow, one frozen",
        kind=Kind.COMPOUND,
        injected="every answer is 0.8 s late, and one slapd is frozen",
        inject=in_order(
            lambda site: site.behave(network.late(lambda: 0.8), *ALL), lambda site: site.freeze(2)
        ),
        undone="answers come at once, and SIGCONT",
        shows={each: evidence.late(0.7) for each in (1, 3, 4)} | {2: evidence.HANGS},
        out=(2,),
        hold_seconds=25,
    ),
    Fault(
        name="our network away, one stays away",
        kind=Kind.COMPOUND,
        injected="no server answers connects for 4 s; then all do but one",
        inject=_one_stays_away,
        undone="all answer",
        shows=dict.fromkeys(ALL, evidence.DEAD),
        out=(4,),
        later_seconds={4: AWAY_SECONDS},
        hold_seconds=22,
    ),
    Fault(
        name="all read-only, one killed",
        kind=Kind.COMPOUND,
        injected="every database is read-only, and one slapd is killed",
        inject=in_order(lambda site: site.on(Node.read_only, *ALL), lambda site: site.kill(2)),
        undone="they take writes, and slapd is started",
        shows={each: evidence.write_code(UNWILLING) for each in (1, 3, 4)} | {2: evidence.BREAKS},
        out=(2,),
        hold_seconds=20,
    ),
    Fault(
        name="one killed, one without its people",
        kind=Kind.COMPOUND,
        injected="one slapd is killed, and all people of another server are gone",
        inject=in_order(lambda site: site.kill(2), lambda site: site.node(3).empty()),
        undone="slapd is started, and the people are put back",
        shows={2: evidence.BREAKS, 3: evidence.people(0)},
        out=(2, 3),
        caught_by=SEARCH,
        hold_seconds=20,
    ),
    Fault(
        name="one frozen, one hidden",
        kind=Kind.COMPOUND,
        injected="one slapd is frozen, and an access rule of another one hides the whole tree",
        inject=in_order(lambda site: site.freeze(2), lambda site: site.node(3).hide_base(SUFFIX)),
        undone="SIGCONT, and the rule is removed",
        shows={2: evidence.HANGS, 3: evidence.code(NO_SUCH_OBJECT, SUFFIX, "base")},
        out=(2, 3),
        hold_seconds=20,
    ),
    Fault(
        name="one cut off, one killed",
        kind=Kind.COMPOUND,
        injected="one server receives nothing while others are written, and another one is killed",
        inject=in_order(
            lambda site: site.node(4).cut_replication(),
            lambda site: site.write_for_long(1),
            lambda site: site.kill(2),
        ),
        undone="slapd is started, and the server receives",
        shows={2: evidence.BREAKS, 4: evidence.LACKS},
        out=(2, 4),
        hold_seconds=80,
    ),
)
