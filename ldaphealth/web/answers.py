"""The answers of the routes, each a function of a source and a request, without I/O.

The table is in app.py. Text from a server is sent as JSON or as one line of ASCII.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from ldaphealth.clocks import BootSeconds, epoch_seconds
from ldaphealth.guard.memory import Override
from ldaphealth.live.health import LATE_SECONDS
from ldaphealth.live.status_document import status_document
from ldaphealth.model import Verdict
from ldaphealth.page import page
from ldaphealth.page.kept_cards import KeptCards
from ldaphealth.page.server_card import CardOverride
from ldaphealth.sinks.json_document import verdict_document
from ldaphealth.sinks.summary import cause_codes
from ldaphealth.text.ascii_line import ascii_line
from ldaphealth.text.listed import listed
from ldaphealth.web.source import BadRequestError, Source

MOST_NAMES = 20
LINE_CHARACTERS = 500
LINKS = (
    ("api/v1/status", "the status, as JSON"),
    ("api/v1/history/availability", "availability in the last 30 days, as JSON"),
    ("metrics", "for Prometheus"),
    ("ready", "is there a fresh verdict on every server?"),
    ("live", "does the agent run?"),
)


def landing() -> Callable[[Source, Request], Response]:
    """Return the answer that shows the page for people on call."""
    kept = KeptCards()

    def answer(source: Source, _: Request) -> Response:
        now = source.now()
        overrides = {
            server: card_override(override, now) for server, override in source.overrides().items()
        }
        text = page.render(
            source.live_state.view,
            source.health(),
            boot_seconds=now,
            epoch_seconds=epoch_seconds(),
            host=socket.gethostname(),
            addresses={each.id: each.uri for each in source.servers()},
            overrides=overrides,
            floors=[each.summary for each in source.broken_floors()],
            links=LINKS,
            kept=kept,
        )
        return Response(text, headers=dict(page.HEADERS))

    return answer


def card_override(override: Override, now: BootSeconds) -> CardOverride:
    """Return an override as the card of its server shows it."""
    return CardOverride(override.action, override.until - now, override.reason, override.by)


def live(source: Source, request: Request) -> Response:
    """Return whether the main loop of the agent runs."""
    late = source.now() - source.ticked_at()
    alive = late < LATE_SECONDS
    line = "alive" if alive else f"the main loop of the agent has not run for {late:.0f} s"
    return _answer(request, alive, line, {"live": alive})


def ready(source: Source, request: Request) -> Response:
    """Return whether there is a fresh verdict on every server."""
    missing = [each.id for each in source.servers() if source.verdict(each) is None]
    line = f"no fresh verdict on {listed(missing, MOST_NAMES)}" if missing else "ready"
    return _answer(request, not missing, line, {"ready": not missing, "without_verdict": missing})


def server_health(source: Source, request: Request) -> Response:
    """Return whether clients should be sent to a server; not to a drained one."""
    server = source.server(request.path_params["cluster"], request.path_params["server"])
    verdict = source.verdict(server)
    summary = source.missing_reason(server) if verdict is None else _summary(verdict)
    document = {
        "server": server.id,
        "in_service": None if verdict is None else verdict.in_service,
        "summary": summary,
        "verdict": None if verdict is None else verdict_document(verdict),
    }
    serves = verdict is not None and verdict.in_service
    return _answer(request, serves, f"{server.id} {summary}", document)


def cluster_health(source: Source, request: Request) -> Response:
    """Return whether enough servers of a cluster are in service: `min`, or else its floor."""
    cluster = source.cluster(request.path_params["cluster"])
    wanted = _wanted(request, max(1, cluster.min_in_service))
    verdicts = {server.id: source.verdict(server) for server in cluster.servers}
    missing = [server for server, verdict in verdicts.items() if verdict is None]
    serving = sum(verdict is not None and verdict.in_service for verdict in verdicts.values())
    line = f"{cluster.name} {serving} of {len(verdicts)} in service, {wanted} wanted"
    if missing:
        line += f"; no fresh verdict on {listed(missing, MOST_NAMES)}"
    document = {
        "cluster": cluster.name,
        "in_service": serving,
        "servers": len(verdicts),
        "wanted": wanted,
        "without_verdict": missing,
    }
    return _answer(request, serving >= wanted, line, document)


def status(source: Source, _: Request) -> Response:
    """Return the document of `ldaphealth status --format json`, of fresh verdicts only."""
    verdicts = {server: source.verdict(server) for server in source.servers()}
    fresh = [verdict for verdict in verdicts.values() if verdict is not None]
    overrides, floors = source.overrides(), source.broken_floors()
    shadows = source.shadows()
    whole = status_document(
        fresh, overrides, source.health(), source.now(), floors, shadows=shadows
    )
    whole["valid_seconds"] = {
        server.id: source.valid_seconds(server)
        for server, verdict in verdicts.items()
        if verdict is not None
    }
    whole["listens"] = dict(source.listens)
    whole["without_verdict"] = [
        {"server": server.id, "why": source.missing_reason(server)}
        for server, verdict in verdicts.items()
        if verdict is None
    ]
    return _json(whole)


def unknown(request: Request, error: str) -> Response:
    """Answer that there is no such cluster or server, with the name that was probably meant."""
    return _answer(request, False, error, {"error": ascii_line(error, LINE_CHARACTERS)}, bad=404)


def _summary(verdict: Verdict) -> str:
    """Return a verdict in one line, with stable codes only."""
    side = "in service" if verdict.in_service else "out of service"
    if verdict.draining:
        side = "draining"
    weight = f", weight {verdict.weight}" if verdict.in_service else ""
    held = f", held by {verdict.held_by}" if verdict.held_by else ""
    codes = cause_codes(verdict)
    return ascii_line(f"{side}{weight}{held}{': ' if codes else ''}{codes}", LINE_CHARACTERS)


def _wanted(request: Request, default: int) -> int:
    text = request.query_params.get("min", str(default))
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(10**6))
    if not is_number or int(text) == 0:  # with 0 the check would always pass
        raise BadRequestError("min must be a number of servers, at least 1, such as ?min=2")
    return int(text)


def _answer(
    request: Request, good: bool, line: str, document: Mapping[str, Any], bad: int = 503
) -> Response:
    """Return a response in the requested form: `format`, else the Accept header, else text."""
    form = request.query_params.get("format", "")
    if form not in ("", "text", "json"):
        raise BadRequestError("format must be text or json")
    accepts_json = "application/json" in request.headers.get("accept", "")
    code = 200 if good else bad
    if form == "json" or (not form and accepts_json):
        return _json(document, code)
    return PlainTextResponse(ascii_line(line, LINE_CHARACTERS) + "\n", code)


def _json(document: Mapping[str, Any], code: int = 200) -> Response:
    text = msgspec.json.format(msgspec.json.encode(document), indent=2)
    return Response(text + b"\n", code, media_type="application/json")
