"""What the routes answer: one function of a source and a request each, without I/O.

The table is in app.py. Text that came from a server leaves as JSON or as one line of ASCII.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from ldaphealth.clocks import epoch_seconds
from ldaphealth.live.health import LATE_SECONDS
from ldaphealth.live.status_document import status_document
from ldaphealth.model import Verdict
from ldaphealth.page import page
from ldaphealth.page.server_card import CardOverride
from ldaphealth.sinks.json_document import verdict_document
from ldaphealth.text.ascii_line import ascii_line
from ldaphealth.web.source import BadRequestError, Source

MOST_NAMES = 20
LINE_CHARACTERS = 500
LINKS = (
    ("api/v1/status", "everything, as JSON"),
    ("metrics", "for Prometheus"),
    ("ready", "is there a fresh verdict on every server?"),
    ("live", "is the agent at work?"),
)


def landing(source: Source, _: Request) -> Response:
    """Show the page for people on call."""
    now = source.now()
    words = {
        server: CardOverride(word.action, word.until - now, word.reason)
        for server, word in source.overrides().items()
    }
    text = page.render(
        source.board.view,
        source.health(),
        boot_seconds=now,
        epoch_seconds=epoch_seconds(),
        host=socket.gethostname(),
        overrides=words,
        links=LINKS,
    )
    return Response(text, headers=dict(page.HEADERS))


def live(source: Source, request: Request) -> Response:
    """Tell whether the agent's loop comes round."""
    late = source.now() - source.ticked_at()
    alive = late < LATE_SECONDS
    line = "alive" if alive else f"the agent has not come round for {late:.0f} s"
    return _answer(request, alive, line, {"live": alive})


def ready(source: Source, request: Request) -> Response:
    """Tell whether there is a fresh verdict on every server."""
    missing = [each.id for each in source.servers() if source.verdict(each) is None]
    line = f"no fresh verdict on {_listed(missing)}" if missing else "ready"
    return _answer(request, not missing, line, {"ready": not missing, "without_verdict": missing})


def server_health(source: Source, request: Request) -> Response:
    """Tell whether clients should be sent to a server; a drained one says no."""
    server = source.server(request.path_params["cluster"], request.path_params["server"])
    verdict = source.verdict(server)
    words = source.silence(server) if verdict is None else _words(verdict)
    document = {
        "server": server.id,
        "in_service": None if verdict is None else verdict.in_service,
        "summary": words,
        "verdict": None if verdict is None else verdict_document(verdict),
    }
    serves = verdict is not None and verdict.in_service
    return _answer(request, serves, f"{server.id} {words}", document)


def cluster_health(source: Source, request: Request) -> Response:
    """Tell whether enough servers of a cluster are in service: `min`, or else its floor."""
    cluster = source.cluster(request.path_params["cluster"])
    wanted = _wanted(request, max(1, cluster.min_in_service))
    verdicts = {server.id: source.verdict(server) for server in cluster.servers}
    missing = [server for server, verdict in verdicts.items() if verdict is None]
    serving = sum(verdict is not None and verdict.in_service for verdict in verdicts.values())
    line = f"{cluster.name} {serving} of {len(verdicts)} in service, {wanted} wanted"
    if missing:
        line += f"; no fresh verdict on {_listed(missing)}"
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
    told = [verdict for verdict in verdicts.values() if verdict is not None]
    whole = status_document(told, source.overrides(), source.health(), source.now())
    whole["valid_seconds"] = {
        server.id: source.valid_seconds(server)
        for server, verdict in verdicts.items()
        if verdict is not None
    }
    whole["listens"] = dict(source.listens)
    whole["without_verdict"] = [
        {"server": server.id, "why": source.silence(server)}
        for server, verdict in verdicts.items()
        if verdict is None
    ]
    return _json(whole)


def unknown(request: Request, why: str) -> Response:
    """Say that there is no such cluster or server, and which was probably meant."""
    return _answer(request, False, why, {"error": ascii_line(why, LINE_CHARACTERS)}, bad=404)


def _words(verdict: Verdict) -> str:
    """Return a verdict in the codes that do not change, in one line."""
    side = "in service" if verdict.in_service else "out of service"
    if verdict.draining:
        side = "draining"
    weight = f", weight {verdict.weight}" if verdict.in_service else ""
    held = f", held by {verdict.held_by}" if verdict.held_by else ""
    codes = ", ".join(reason.code for reason in verdict.reasons)
    return ascii_line(f"{side}{weight}{held}{': ' if codes else ''}{codes}", LINE_CHARACTERS)


def _wanted(request: Request, default: int) -> int:
    text = request.query_params.get("min", str(default))
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(10**6))
    if not is_number or int(text) == 0:  # what 0 asks is always true: no check
        raise BadRequestError("min is a number of servers, 1 at least, such as ?min=2")
    return int(text)


def _listed(names: list[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _answer(
    request: Request, good: bool, line: str, document: Mapping[str, Any], bad: int = 503
) -> Response:
    """Tell it in the form that is asked for: `format`, or else the Accept header, or else text."""
    form = request.query_params.get("format", "")
    if form not in ("", "text", "json"):
        raise BadRequestError("format is text or json")
    accepts_json = "application/json" in request.headers.get("accept", "")
    code = 200 if good else bad
    if form == "json" or (not form and accepts_json):
        return _json(document, code)
    return PlainTextResponse(ascii_line(line, LINE_CHARACTERS) + "\n", code)


def _json(document: Mapping[str, Any], code: int = 200) -> Response:
    text = msgspec.json.format(msgspec.json.encode(document), indent=2)
    return Response(text + b"\n", code, media_type="application/json")
