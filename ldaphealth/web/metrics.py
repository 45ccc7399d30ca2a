"""The routes for Prometheus: `/metrics` of the agent, and `/probe` for a probe on demand."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ldaphealth.prometheus import exposition
from ldaphealth.web import probe
from ldaphealth.web.source import Source


def metrics(source: Source, request: Request) -> Response:
    """Return all metrics."""
    accept = request.headers.get("accept", "")
    body, content_type = exposition(source.live_state.view, source.health(), source.now(), accept)
    return Response(body, headers={"Content-Type": content_type})


def probed(source: Source, request: Request) -> Response:
    """Probe a target now, and return its metrics. It blocks."""
    answer = probe.probe_target(
        source.settings(), request.query_params, request.headers, source.overrides()
    )
    return Response(answer.body, headers={"Content-Type": answer.content_type})
