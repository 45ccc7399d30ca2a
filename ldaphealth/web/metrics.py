"""The routes for Prometheus: `/metrics` of the agent, and `/probe` for a probe on demand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from ldaphealth.prometheus import KeptExposition
from ldaphealth.web.probe import read_request, render
from ldaphealth.web.probe_rounds import ProbeRounds
from ldaphealth.web.source import Source
from ldaphealth.workers import Workers


def scraping() -> Callable[[Source, Request], Response]:
    """Return the answer with all metrics."""
    kept = KeptExposition()

    def answer(source: Source, request: Request) -> Response:
        accept = request.headers.get("accept", "")
        body, content_type = kept.exposition(
            source.live_state.view, source.health(), source.now(), accept
        )
        return Response(body, headers={"Content-Type": content_type})

    return answer


def probing(source: Source) -> Callable[[Request], Awaitable[Response]]:
    """Return what probes a target, or shares the result of a probe, and returns its metrics."""
    rounds, threads = ProbeRounds(source), Workers("probe answer", 1)

    async def probed(request: Request) -> Response:
        wanted = read_request(source.settings(), request.query_params, request.headers)
        result = await rounds.result(wanted)
        answer = await asyncio.wrap_future(threads.submit(render, wanted, result))
        return Response(answer.body, headers={"Content-Type": answer.content_type})

    return probed
