"""What Prometheus asks: `/metrics` of the agent, and `/probe` for one look on demand."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ldaphealth.prometheus import exposition
from ldaphealth.web import probe
from ldaphealth.web.source import Source


def metrics(source: Source, request: Request) -> Response:
    """Tell everything that is known now."""
    accept = request.headers.get("accept", "")
    body, content_type = exposition(source.board.view, source.health(), source.now(), accept)
    return Response(body, headers={"Content-Type": content_type})


def probed(source: Source, request: Request) -> Response:
    """Look at a target now; it waits for servers."""
    answer = probe.probe_target(
        source.settings(), request.query_params, request.headers, source.overrides()
    )
    return Response(answer.body, headers={"Content-Type": answer.content_type})
