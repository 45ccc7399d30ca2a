"""Rows: servers that give no LDAP service, or none to speak of, to any client."""

from __future__ import annotations

import time

from bench.faults import evidence
from bench.faults import proxy as network
from bench.faults.fault import Fault, Kind, in_order
from bench.faults.site import Site

HTTP = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
HUGE = b"\x30\x84\x7f\xff\xff\xff\x02\x01\x01"  # a message of two gigabytes begins
BIND_ANSWER_BYTES = 14  # the success of a bind: what comes then is cut
BUSY, UNAVAILABLE = 51, 52
LATER_SECONDS = 4.0


def _flap(site: Site) -> None:
    """Let a server be gone for 3 s, and there for 3 s."""
    for _ in range(3):
        site.refuse(2)
        time.sleep(3)
        site.restore_network(2)
        time.sleep(3)


def _slow_ramp(site: Site) -> None:
    began = time.monotonic()
    site.behave(network.late(lambda: min(4.0, (time.monotonic() - began) / 5)), 2)


def _searches_ramp(site: Site) -> None:
    for step in range(1, 41):
        site.node(2).slow_searches(step / 10)
        time.sleep(0.5)


# Which setting finds what the default one misses, and at what price.
AT_TIMES = (
    "The check `session` finds it within ten to twenty seconds, by chance later. With "
    "`session: {min_failures: 2, lasting_seconds: 4}` it finds it sooner; the price is that two "
    "connections that are lost within a few seconds take a server out."
)
TOO_LARGE = "No setting finds it: an answer of more than 64 KiB is only reported."

PROCESS = (
    Fault(
        name="killed",
        kind=Kind.FAULT,
        injected="slapd is killed (SIGKILL)",
        inject=lambda site: site.kill(2),
        undone="slapd is started",
        shows={2: evidence.BREAKS},
        out=(2,),
    ),
    Fault(
        name="stopped for maintenance",
        kind=Kind.FAULT,
        injected="slapd ends in order (SIGTERM)",
        inject=in_order(lambda site: site.node(2).stop(), lambda site: site.refuse(2)),
        undone="slapd is started",
        shows={2: evidence.BREAKS},
        out=(2,),
    ),
    Fault(
        name="frozen",
        kind=Kind.FAULT,
        injected="slapd is stopped without ending (SIGSTOP): the kernel takes its connections",
        inject=lambda site: site.freeze(2),
        undone="SIGCONT",
        shows={2: evidence.HANGS},
        out=(2,),
    ),
    Fault(
        name="all threads busy",
        kind=Kind.FAULT,
        injected="clients that read nothing hold every thread of slapd",
        inject=lambda site: site.occupy_threads(2),
        undone="the clients go",
        shows={2: evidence.HANGS},
        out=(2,),
    ),
    Fault(
        name="out of descriptors",
        kind=Kind.FAULT,
        injected="slapd may open no more files (prlimit --nofile)",
        inject=lambda site: site.limit_files(2),
        undone="slapd is restarted with its old limit",
        shows={2: evidence.DEAD},
        out=(2,),
    ),
    Fault(
        name="two killed",
        kind=Kind.FAULT,
        injected="two of four slapd are killed at once",
        inject=lambda site: site.kill(2, 3),
        undone="both are started",
        shows={2: evidence.BREAKS, 3: evidence.BREAKS},
        out=(2, 3),
    ),
    Fault(
        name="three killed",
        kind=Kind.FAULT,
        injected="three of four slapd are killed at once",
        inject=lambda site: site.kill(2, 3, 4),
        undone="all are started",
        shows={2: evidence.BREAKS, 3: evidence.BREAKS, 4: evidence.BREAKS},
        out=(2, 3, 4),
    ),
    Fault(
        name="killed one after the other",
        kind=Kind.FAULT,
        injected="one slapd is killed, another one 4 s later",
        inject=in_order(
            lambda site: site.kill(2),
            lambda _: time.sleep(LATER_SECONDS),
            lambda site: site.kill(3),
        ),
        undone="both are started",
        shows={2: evidence.BREAKS, 3: evidence.BREAKS},
        out=(2, 3),
        later_seconds={3: LATER_SECONDS},
        hold_seconds=18,
    ),
    Fault(
        name="gone and there again",
        kind=Kind.FAULT,
        injected="a server refuses connections for 3 s of every 6 s",
        inject=_flap,
        undone="it takes them all",
        shows={2: evidence.BREAKS},
        out=(2,),
        hold_seconds=19,
    ),
)
NETWORK = (
    Fault(
        name="packets dropped",
        kind=Kind.FAULT,
        injected="connects to one server go unanswered",
        inject=lambda site: site.drop(2),
        undone="they are answered",
        shows={2: evidence.DEAD},
        out=(2,),
    ),
    Fault(
        name="half of the pool unreachable",
        kind=Kind.FAULT,
        injected="connects to two servers go unanswered",
        inject=lambda site: site.drop(3, 4),
        undone="they are answered",
        shows={3: evidence.DEAD, 4: evidence.DEAD},
        out=(3, 4),
    ),
    Fault(
        name="accepts and is silent",
        kind=Kind.FAULT,
        injected="connections are taken and nothing is answered",
        inject=lambda site: site.behave(network.freeze, 2),
        undone="answers come",
        shows={2: evidence.HANGS},
        out=(2,),
    ),
    Fault(
        name="resets connections",
        kind=Kind.FAULT,
        injected="each connection is reset after it was taken",
        inject=lambda site: site.behave(network.reset, 2),
        undone="none is reset",
        shows={2: evidence.BREAKS},
        out=(2,),
    ),
    Fault(
        name="closes connections",
        kind=Kind.FAULT,
        injected="each connection is closed after it was taken",
        inject=lambda site: site.behave(network.close, 2),
        undone="none is closed",
        shows={2: evidence.BREAKS},
        out=(2,),
    ),
    Fault(
        name="resets half of them",
        kind=Kind.FAULT,
        injected="half of new connections are reset",
        inject=lambda site: site.behave(network.some(network.chance(0.5), network.reset), 2),
        undone="none is reset",
        shows={2: evidence.AT_TIMES},
        out=(2,),
        caught_by=AT_TIMES,
        hold_seconds=30,
    ),
    Fault(
        name="resets every other one",
        kind=Kind.FAULT,
        injected="every second new connection is reset, so each confirmation succeeds",
        inject=lambda site: site.behave(network.some(network.every(2), network.reset), 2),
        undone="none is reset",
        shows={2: evidence.AT_TIMES},
        out=(2,),
        caught_by=AT_TIMES,
        hold_seconds=30,
    ),
    Fault(
        name="freezes a third of them",
        kind=Kind.FAULT,
        injected="a third of new connections get no answer",
        inject=lambda site: site.behave(network.some(network.chance(0.34), network.freeze), 2),
        undone="all are answered",
        shows={2: evidence.AT_TIMES},
        out=(2,),
        caught_by=AT_TIMES,
        hold_seconds=30,
    ),
)
ANSWERS = (
    Fault(
        name="speaks HTTP",
        kind=Kind.FAULT,
        injected="each request is answered in HTTP",
        inject=lambda site: site.behave(network.answer_with(HTTP), 2),
        undone="answers come from slapd",
        shows={2: evidence.DEAD},
        out=(2,),
    ),
    Fault(
        name="announces two gigabytes",
        kind=Kind.FAULT,
        injected="each answer begins a message of two gigabytes that never comes",
        inject=lambda site: site.behave(network.answer_with(HUGE), 2),
        undone="answers come from slapd",
        shows={2: evidence.DEAD},
        out=(2,),
    ),
    Fault(
        name="cut in the middle of an answer",
        kind=Kind.FAULT,
        injected="the connection is reset in the middle of the answer after the bind",
        inject=lambda site: site.behave(
            network.only_bytes(BIND_ANSWER_BYTES + 20, network.reset), 2
        ),
        undone="answers are whole",
        shows={2: evidence.BREAKS},
        out=(2,),
    ),
    Fault(
        name="silent after the bind",
        kind=Kind.FAULT,
        injected="the bind is answered, and nothing after it",
        inject=lambda site: site.behave(network.only_bytes(BIND_ANSWER_BYTES, network.freeze), 2),
        undone="answers come",
        shows={2: evidence.HANGS},
        out=(2,),
    ),
    Fault(
        name="drips",
        kind=Kind.FAULT,
        injected="answers come at two bytes a second",
        inject=lambda site: site.behave(network.drip(0.5), 2),
        undone="they come at once",
        shows={2: evidence.HANGS},
        out=(2,),
    ),
    Fault(
        name="a search without an end",
        kind=Kind.FAULT,
        injected="searches bring entries for ever",
        inject=lambda site: site.behave(network.endless_search(), 2),
        undone="they end",
        shows={2: evidence.HANGS},
        out=(2,),
        caught_by=TOO_LARGE,
    ),
    Fault(
        name="busy",
        kind=Kind.FAULT,
        injected="each search ends with busy (51)",
        inject=lambda site: site.behave(network.searches_end(network.every(1), BUSY), 2),
        undone="searches bring entries",
        shows={2: evidence.code(BUSY)},
        out=(2,),
    ),
    Fault(
        name="busy at times",
        kind=Kind.FAULT,
        injected="every third search by chance ends with busy (51)",
        inject=lambda site: site.behave(network.searches_end(network.chance(0.34), BUSY), 2),
        undone="searches bring entries",
        shows={2: evidence.code(BUSY, tries=12)},
        out=(2,),
        caught_by=AT_TIMES,
        hold_seconds=30,
    ),
    Fault(
        name="busy every third time",
        kind=Kind.FAULT,
        injected="every third search ends with busy (51)",
        inject=lambda site: site.behave(network.searches_end(network.every(3), BUSY), 2),
        undone="searches bring entries",
        shows={2: evidence.code(BUSY, tries=12)},
        out=(2,),
        caught_by=AT_TIMES,
        hold_seconds=30,
    ),
    Fault(
        name="unavailable at times",
        kind=Kind.FAULT,
        injected="one of six searches by chance ends with unavailable (52)",
        inject=lambda site: site.behave(network.searches_end(network.chance(0.17), UNAVAILABLE), 2),
        undone="searches bring entries",
        shows={2: evidence.code(UNAVAILABLE, tries=24)},
        out=(2,),
        caught_by=AT_TIMES,
        hold_seconds=30,
    ),
    Fault(
        name="unavailable",
        kind=Kind.FAULT,
        injected="each search ends with unavailable (52)",
        inject=lambda site: site.behave(network.searches_end(network.every(1), UNAVAILABLE), 2),
        undone="searches bring entries",
        shows={2: evidence.code(UNAVAILABLE)},
        out=(2,),
    ),
)
SLOW = (
    Fault(
        name="searches take 3 s",
        kind=Kind.FAULT,
        injected="slapd answers searches after 3 s, and binds at once (slapo-sock)",
        inject=lambda site: site.node(2).slow_searches(3.0),
        undone="they are quick",
        shows={2: evidence.late(2.5)},
        out=(2,),
        hold_seconds=20,
    ),
    Fault(
        name="every answer 3.5 s late",
        kind=Kind.FAULT,
        injected="each answer of one server is 3.5 s late",
        inject=lambda site: site.behave(network.late(lambda: 3.5), 2),
        undone="answers come at once",
        shows={2: evidence.late(2.9)},
        out=(2,),
        hold_seconds=20,
    ),
    Fault(
        name="every answer 20 s late",
        kind=Kind.FAULT,
        injected="each answer of one server is later than every deadline",
        inject=lambda site: site.behave(network.late(lambda: 20.0), 2),
        undone="answers come at once",
        shows={2: evidence.HANGS},
        out=(2,),
    ),
    Fault(
        name="searches slower and slower",
        kind=Kind.FAULT,
        injected="each search of one server takes longer than the one before, up to 4 s after 20 s",
        inject=_searches_ramp,
        undone="they are quick",
        shows={2: evidence.late(2.0)},
        out=(2,),
        hold_seconds=32,
    ),
    Fault(
        name="two servers slow",
        kind=Kind.FAULT,
        injected="two of four answer searches after 3 s",
        inject=in_order(
            lambda site: site.node(2).slow_searches(3.0),
            lambda site: site.node(3).slow_searches(3.0),
        ),
        undone="they are quick",
        shows={2: evidence.late(2.5), 3: evidence.late(2.5)},
        out=(2, 3),
        hold_seconds=20,
    ),
    Fault(
        name="slower and slower",
        kind=Kind.FAULT,
        injected="each answer of one server is later than the one before, up to 4 s after 20 s",
        inject=_slow_ramp,
        undone="answers come at once",
        shows={2: evidence.late(2.0)},
        out=(2,),
        hold_seconds=32,
    ),
)
ROWS = (*PROCESS, *NETWORK, *ANSWERS, *SLOW)
