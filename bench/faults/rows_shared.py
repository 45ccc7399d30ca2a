"""Rows without a fault of a server: what strikes all alike, what passes, and what is no fault."""

from __future__ import annotations

import time
from functools import partial

from bench.faults import evidence
from bench.faults import proxy as network
from bench.faults.fault import Fault, Kind, in_order
from bench.faults.site import ALL, Shape, Site
from demo.node import Node
from demo.tree import CANARIES, PEOPLE

UNWILLING, NO_SUCH_OBJECT, INVALID_CREDENTIALS, CONFIDENTIALITY = 53, 32, 49, 13
LONG_SECONDS = 40.0
NOTHING = "nothing"


def _gone_for(site: Site, seconds: float, *servers: int) -> None:
    site.refuse(*servers)
    time.sleep(seconds)
    site.restore_network(*servers)


def _dropped_for(site: Site, seconds: float) -> None:
    site.drop(*ALL)
    time.sleep(seconds)
    site.restore_network(*ALL)


def _reset_for(site: Site, seconds: float) -> None:
    site.behave(network.reset, *ALL)
    time.sleep(seconds)
    site.restore_network(*ALL)


def _losses(site: Site) -> None:
    site.behave(network.some(network.every(2), network.reset), 2)
    time.sleep(5)
    site.restore_network(2)


def _back_one_by_one(site: Site) -> None:
    site.drop(*ALL)
    time.sleep(5)
    for server in ALL:
        site.restore_network(server)
        time.sleep(1.2)


def _one_late_answer(site: Site) -> None:
    site.behave(network.late(lambda: 2.5), 2)
    time.sleep(2)
    site.restore_network(2)


def _rolling_restart(site: Site) -> None:
    for server in ALL:
        site.restart(server, 0.3)
        time.sleep(3)


def _many_writes(site: Site) -> None:
    for server in ALL:
        site.write_for_long(server, pause_seconds=0.05)


def _split(site: Site) -> None:
    first, second = site.cluster.nodes[:2], site.cluster.nodes[2:]
    for node in first:
        node.cut_replication(*second)
    for node in second:
        node.cut_replication(*first)
    site.write_for_long(1, 3)


def _everywhere(shown: evidence.Evidence) -> dict[int, evidence.Evidence]:
    return dict.fromkeys(ALL, shown)


NO_FAULT = (
    Fault(
        name="no fault",
        kind=Kind.CONTROL,
        injected=NOTHING,
        inject=lambda _: None,
        undone=NOTHING,
        hold_seconds=30,
    ),
    Fault(
        name="many writes",
        kind=Kind.CONTROL,
        injected="clients write at all four providers, several times a second",
        inject=_many_writes,
        undone="they stop",
        hold_seconds=30,
    ),
    Fault(
        name="rolling restarts",
        kind=Kind.CONTROL,
        injected="slapd is restarted on one server after the other, half a second each",
        inject=_rolling_restart,
        undone=NOTHING,
        shows=_everywhere(evidence.BREAKS),
        hold_seconds=22,
    ),
    Fault(
        name="a quick restart",
        kind=Kind.CONTROL,
        injected="slapd is restarted within less than a second",
        inject=lambda site: site.restart(2, 0.4),
        undone=NOTHING,
        shows={2: evidence.BREAKS},
    ),
    Fault(
        name="away for a moment",
        kind=Kind.CONTROL,
        injected="one server refuses connections for one second",
        inject=lambda site: _gone_for(site, 1.0, 2),
        undone=NOTHING,
        shows={2: evidence.BREAKS},
    ),
    Fault(
        name="one late answer",
        kind=Kind.CONTROL,
        injected="for one interval the answers of one server are 2.5 s late",
        inject=_one_late_answer,
        undone=NOTHING,
        shows={2: evidence.late(2.0)},
    ),
    Fault(
        name="a far site",
        kind=Kind.CONTROL,
        injected="answers of one server take 0.15 s longer than those of the others",
        inject=lambda site: site.behave(network.late(lambda: 0.15), 2),
        undone="they take as long as others",
        shows={2: evidence.late(0.25)},
        hold_seconds=30,
    ),
    Fault(
        name="a lost connection now and then",
        kind=Kind.CONTROL,
        injected="one of 40 connections by chance is reset, at every server",
        inject=lambda site: site.behave(network.some(network.chance(0.025), network.reset), *ALL),
        undone="none is reset",
        hold_seconds=30,
    ),
    Fault(
        name="a clock an hour ahead",
        kind=Kind.CONTROL,
        injected="the time of day of one server is an hour ahead, and it takes a write",
        inject=lambda site: site.node(3).write(),
        undone=NOTHING,
        shape=Shape(ahead_seconds={3: 3600}),
    ),
    Fault(
        name="the cluster is split",
        kind=Kind.CONTROL,
        injected="two halves of two providers each take writes that the other does not receive",
        inject=_split,
        undone="all receive from all",
        shows=_everywhere(evidence.DIFFERS),
        hold_seconds=80,
    ),
)
ALL_ALIKE = (
    Fault(
        name="our password expired",
        kind=Kind.CONTROL,
        injected="the check account has another password, at every server",
        inject=lambda site: site.change_password(),
        undone="it has the old one",
        shows=_everywhere(evidence.code(INVALID_CREDENTIALS)),
        hold_seconds=25,
    ),
    Fault(
        name="all bind only with TLS",
        kind=Kind.CONTROL,
        injected="every server demands confidentiality for simple binds",
        inject=lambda site: site.demand_confidentiality(*ALL),
        undone="they demand none",
        shows=_everywhere(evidence.code(CONFIDENTIALITY)),
        hold_seconds=25,
    ),
    Fault(
        name="the search base is renamed",
        kind=Kind.CONTROL,
        injected="an administrator renames ou=people",
        inject=lambda site: site.rename_people(),
        undone="it has its old name",
        shows=_everywhere(evidence.code(NO_SUCH_OBJECT)),
        hold_seconds=25,
    ),
    Fault(
        name="our canaries are deleted",
        kind=Kind.CONTROL,
        injected="an administrator deletes the entries that the agent writes to",
        inject=lambda site: site.delete_canaries(),
        undone="nothing: they are for the agent's owner to make again",
        shows=_everywhere(evidence.entries(CANARIES, 0)),
        hold_seconds=25,
    ),
    Fault(
        name="all read-only",
        kind=Kind.CONTROL,
        injected="the database of every provider is read-only",
        inject=lambda site: site.on(Node.read_only, *ALL),
        undone="they take writes",
        shows=_everywhere(evidence.write_code(UNWILLING)),
        hold_seconds=25,
    ),
    Fault(
        name="people hidden everywhere",
        kind=Kind.CONTROL,
        injected="an access rule of every server hides the people",
        inject=lambda site: site.on(lambda node: node.hide_base(PEOPLE), *ALL),
        undone="the rules are removed",
        shows=_everywhere(evidence.code(NO_SUCH_OBJECT)),
        hold_seconds=25,
    ),
    Fault(
        name="all slow",
        kind=Kind.CONTROL,
        injected="every answer of every server is 1.6 s late",
        inject=lambda site: site.behave(network.late(lambda: 1.6), *ALL),
        undone="answers come at once",
        shows=_everywhere(evidence.late(1.5)),
        hold_seconds=LONG_SECONDS,
    ),
    Fault(
        name="all very slow",
        kind=Kind.CONTROL,
        injected="every answer of every server is 3 s late",
        inject=lambda site: site.behave(network.late(lambda: 3.0), *ALL),
        undone="answers come at once",
        shows=_everywhere(evidence.late(2.9)),
        hold_seconds=LONG_SECONDS,
    ),
    Fault(
        name="our client certificate expired",
        kind=Kind.CONTROL,
        injected="every server demands a client's certificate, and that of the checkers ends",
        inject=lambda site: site.wait_until_certificate_ends(),
        undone="nothing: the servers demand none any more",
        undo=lambda site: site.demand_certificates("never"),
        shows=_everywhere(evidence.REFUSES_CERTIFICATE),
        hold_seconds=65,
        shape=Shape(tls=True, client_certificate=True),
    ),
    Fault(
        name="all certificates expired",
        kind=Kind.CONTROL,
        injected="the certificates of all servers expired yesterday",
        inject=in_order(
            *(partial(Site.present, server=each, name=f"old{each}", days=-1) for each in ALL)
        ),
        undone="they present good ones",
        shows=_everywhere(evidence.REFUSES_TLS),
        hold_seconds=25,
        shape=Shape(tls=True),
    ),
    Fault(
        name="restored as a whole",
        kind=Kind.CONTROL,
        injected="all servers are restored from a backup of before a change",
        prepare=lambda site: site.back_up(*ALL),
        inject=lambda site: site.restore(*ALL),
        undone=NOTHING,
        shows=_everywhere(evidence.BREAKS),
        hold_seconds=30,
    ),
)
OUR_NETWORK = (
    Fault(
        name="our network away for 4 s",
        kind=Kind.CONTROL,
        injected="connects to all servers go unanswered for 4 s",
        inject=lambda site: _dropped_for(site, 4),
        undone=NOTHING,
        shows=_everywhere(evidence.DEAD),
        hold_seconds=20,
    ),
    Fault(
        name="our network resets for 6 s",
        kind=Kind.CONTROL,
        injected="all connections are reset for 6 s, as by a firewall",
        inject=lambda site: _reset_for(site, 6),
        undone=NOTHING,
        shows=_everywhere(evidence.BREAKS),
        hold_seconds=20,
    ),
    Fault(
        name="our network refuses for 6 s",
        kind=Kind.CONTROL,
        injected="all servers refuse connections for 6 s",
        inject=lambda site: _gone_for(site, 6, *ALL),
        undone=NOTHING,
        shows=_everywhere(evidence.BREAKS),
        hold_seconds=20,
    ),
    Fault(
        name="our network loses a third",
        kind=Kind.CONTROL,
        injected="a third of the connections to every server is reset, by chance",
        inject=lambda site: site.behave(network.some(network.chance(0.34), network.reset), *ALL),
        undone="none is reset",
        shows=_everywhere(evidence.AT_TIMES),
        hold_seconds=30,
    ),
    Fault(
        name="a short time of losses",
        kind=Kind.CONTROL,
        injected="half of the connections to one server are reset for 5 s",
        inject=_losses,
        undone=NOTHING,
        hold_seconds=20,
        shows={2: evidence.AT_TIMES},
    ),
    Fault(
        name="our network away for long",
        kind=Kind.CONTROL,
        injected="connects to all servers go unanswered for 40 s",
        inject=lambda site: site.drop(*ALL),
        undone="they are answered",
        shows=_everywhere(evidence.DEAD),
        hold_seconds=LONG_SECONDS,
    ),
    Fault(
        name="our network comes back bit by bit",
        kind=Kind.CONTROL,
        injected="no server answers for 5 s, then one more every 1.2 s",
        inject=_back_one_by_one,
        undone=NOTHING,
        shows=_everywhere(evidence.DEAD),
        hold_seconds=22,
    ),
    Fault(
        name="all frozen for long",
        kind=Kind.CONTROL,
        injected="every slapd is stopped without ending, for 40 s",
        inject=lambda site: site.freeze(*ALL),
        undone="SIGCONT",
        shows=_everywhere(evidence.HANGS),
        hold_seconds=LONG_SECONDS,
    ),
)
ROWS = (*NO_FAULT, *ALL_ALIKE, *OUR_NETWORK)
