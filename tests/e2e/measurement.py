"""What a fault did to the weights and to clients, and how it looks as a table."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tests.e2e import balancer
from tests.e2e.balancer import AGENT, PORT, WEIGHT
from tests.e2e.faults import DRAINED, REMOVED, Fault
from tests.e2e.stage import LDAPHEALTH, SERVICES, Stage
from tests.e2e.traffic import ERROR, STALE, Held, repeating

# Clients are watched for at least so long after the fault, and for so long after the change.
WATCH_SECONDS = 8.0
WATCH_AFTER_SECONDS = 3.0
HELD_PAUSE_SECONDS = 0.5

History = list[tuple[float, dict[str, int]]]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One server during one fault as one virtual server saw it.

    `expected` is how it must be out, empty if it must stay in. `weights` are in seconds since the
    fault. Out is a server that is not in the kernel's table or has weight 0, back one with any
    weight, full one with all of it. `in_again_seconds` is for how long it had a weight between out
    and cure, `put_back` how often keepalived then said that it adds it, perhaps for less time than
    anybody can see in the kernel's table. `verdict_after_seconds` is when the agent said so.
    `searches` are those from fault to cure; `bad_after_out` are the errors and stale answers among
    those that began when the server was out, `sent_when_out` the connections that the kernel sent
    there all the same, `held` and `held_errors` the searches on a connection that was open before.
    `unchecked` counts how often the script had no answer and kept a server in.
    """

    fault: str
    server: str
    check: str
    expected: str
    how: str
    verdict_after_seconds: float | None
    out_after_seconds: float | None
    in_again_seconds: float
    put_back: int
    cured_after_seconds: float
    back_after_seconds: float | None
    full_after_seconds: float | None
    searches: int
    errors: int
    stale: int
    bad_after_out: int
    sent_when_out: int
    held: int
    held_errors: int
    unchecked: int
    reloads: int
    others_touched: list[str]
    weights: list[tuple[float, dict[str, int]]]


@dataclass(frozen=True, slots=True)
class _Moments:
    began: float
    struck: float
    cured: float


def measure(stage: Stage, fault: Fault) -> list[Measurement]:
    """Strike, watch, cure, watch."""
    began = time.monotonic()
    with _held(stage, fault) as held:
        fault.prepare(stage)
        struck = time.monotonic()
        fault.strike(stage)
        with contextlib.suppress(TimeoutError):  # the measurement tells it
            stage.wait_until_out(fault.out)
        known = _sent(stage, fault)
        time.sleep(WATCH_AFTER_SECONDS)
        fault.meanwhile(stage)
        # After a change a check waits for a part of delay_loop, and then takes its time.
        until = time.monotonic() + fault.rounds * (stage.delay_loop + WATCH_AFTER_SECONDS)
        time.sleep(max(0.0, max(struck + WATCH_SECONDS, until) - time.monotonic()))
        sent = _sent(stage, fault)
        moments = _Moments(began, struck, time.monotonic())
        fault.cure(stage)
    with contextlib.suppress(TimeoutError):
        stage.wait_until_all_in()
    return [
        _measurement(
            stage,
            fault,
            moments,
            check,
            server,
            sent_when_out=len(sent[check, server] - known[check, server]),
            held=held if check == LDAPHEALTH and server == fault.held else [],
        )
        for check in SERVICES
        for server in fault.servers or ("",)
    ]


@contextlib.contextmanager
def _held(stage: Stage, fault: Fault) -> Iterator[list[str]]:
    """Hold a connection if the fault has one; what comes of its searches is added to the list."""
    if not fault.held:
        yield []
        return
    address, port = SERVICES[LDAPHEALTH], stage.port(fault.held)
    held = Held((address, PORT), lambda client: client in balancer.clients_of(address, port))
    with contextlib.closing(held), repeating(held.search, HELD_PAUSE_SECONDS):
        yield held.outcomes


def _sent(stage: Stage, fault: Fault) -> dict[tuple[str, str], set[int]]:
    """Return the clients that were sent to a server of the fault, by check and server."""
    return {
        (check, server): balancer.clients_of(SERVICES[check], stage.port(server))
        if server in fault.out[check]
        else set()
        for check in SERVICES
        for server in fault.servers or ("",)
    }


def _measurement(  # noqa: PLR0913
    stage: Stage,
    fault: Fault,
    moments: _Moments,
    check: str,
    server: str,
    *,
    sent_when_out: int,
    held: list[str],
) -> Measurement:
    struck, cured = moments.struck, moments.cured
    history = stage.weights.since(SERVICES[check], struck)
    verdicts = stage.weights.since(AGENT, struck) if any(stage.weights.at(AGENT)) else []
    out = _first_out(history, server)
    cure = [(when, now.get(server, 0)) for when, now in history if out and when > cured]
    client = stage.clients[check]
    outcomes = Counter(client.between(struck, cured))
    after_out = Counter(client.between(cured if out is None else out, cured))
    return Measurement(
        fault=fault.name,
        server=server,
        check=check,
        expected=fault.out[check].get(server, ""),
        how=_how(history, server, out, cured),
        verdict_after_seconds=_after(struck, _first_out(verdicts, server)),
        out_after_seconds=_after(struck, out),
        in_again_seconds=round(_in_again(history, server, out, cured), 2),
        put_back=_put_back(stage, check, server, out, cured),
        cured_after_seconds=round(cured - struck, 2),
        back_after_seconds=_after(cured, next((t for t, w in cure if w), None)),
        full_after_seconds=_after(cured, next((t for t, w in cure if w == WEIGHT), None)),
        searches=outcomes.total(),
        errors=outcomes[ERROR],
        stale=outcomes[STALE],
        bad_after_out=after_out[ERROR] + after_out[STALE],
        sent_when_out=sent_when_out,
        held=len(held),
        held_errors=held.count(ERROR),
        unchecked=stage.syslog.count(moments.began, time.monotonic(), "unchecked"),
        reloads=stage.syslog.count(moments.began, cured, "Reloading"),
        others_touched=[
            node.name
            for node in stage.cluster.nodes
            if node.name not in fault.servers
            and any(
                now.get(node.name) != WEIGHT
                for _, now in stage.weights.since(SERVICES[check], moments.began)
            )
        ],
        weights=[(round(when - struck, 2), now) for when, now in history],
    )


def _after(begin: float, moment: float | None) -> float | None:
    return None if moment is None else round(moment - begin, 2)


def _first_out(history: History, server: str) -> float | None:
    if not server:
        return None
    return next((when for when, now in history if not now.get(server)), None)


def _how(history: History, server: str, out: float | None, cured: float) -> str:
    """Return how the server was out: removed, if it was not in the table for a moment."""
    if out is None:
        return ""
    left = any(server not in now for when, now in history if out <= when < cured)
    return REMOVED if left else DRAINED


def _in_again(history: History, server: str, out: float | None, cured: float) -> float:
    if out is None:
        return 0.0
    ends = [when for when, _ in history[1:]] + [cured]
    return sum(
        max(0.0, min(end, cured) - when)
        for (when, now), end in zip(history, ends, strict=True)
        if when >= out and now.get(server)
    )


def _put_back(stage: Stage, check: str, server: str, out: float | None, cured: float) -> int:
    if out is None:
        return 0
    line = f":{stage.port(server)} to VS [{SERVICES[check]}]"
    return stage.syslog.count(out, cured, "Adding service", line)


def table(measurements: list[Measurement]) -> str:
    """Return the measurements as text."""
    head = (
        "fault",
        "check",
        "server",
        "agent",
        "out",
        "how",
        "in again",
        "put back",
        "cured",
        "back",
        "full",
        "searches",
        "errors",
        "stale",
        "when out",
        "sent",
        "held",
        "unchecked",
    )
    rows = [
        (
            m.fault,
            m.check,
            m.server or "-",
            _seconds(m.verdict_after_seconds),
            _seconds(m.out_after_seconds),
            m.how or "-",
            f"{m.in_again_seconds:.1f} s",
            str(m.put_back),
            _seconds(m.cured_after_seconds),
            _seconds(m.back_after_seconds),
            _seconds(m.full_after_seconds),
            str(m.searches),
            str(m.errors),
            str(m.stale),
            str(m.bad_after_out),
            str(m.sent_when_out),
            f"{m.held - m.held_errors}/{m.held}" if m.held else "-",
            str(m.unchecked),
        )
        for m in measurements
    ]
    widths = [max(map(len, column)) + 2 for column in zip(head, *rows, strict=True)]
    return "".join(
        "".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() + "\n"
        for row in (head, *rows)
    )


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} s"
