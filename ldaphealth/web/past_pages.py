"""The pages below `/history/`: of a cluster, and of a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from ldaphealth.clocks import epoch_seconds
from ldaphealth.control.requests import AvailabilityRequest
from ldaphealth.history.availability import ServiceChange, availability, cluster_availability
from ldaphealth.page.past import HEADERS, Past, ServerRow, render_cluster, render_server
from ldaphealth.page.server_card import NAME_CHARACTERS, Card, card
from ldaphealth.page.service_band import service_band
from ldaphealth.page.view_period import PastView
from ldaphealth.text.printable import printable
from ldaphealth.web import past
from ldaphealth.web.answers import card_override
from ldaphealth.web.past_queries import ChangesQuery, view_query
from ldaphealth.web.source import Source

MOST_CHANGES = 100
ROW_RESOLUTION = 0.005  # of the bands on the page of a cluster, which may have many servers

Service = Mapping[str, Sequence[ServiceChange]]


def page(source: Source, request: Request) -> Response:
    """Return the page of a cluster or a server."""
    target = request.path_params["target"]
    view = view_query(request.query_params, epoch_seconds())
    show = _server if "/" in target else _cluster
    return Response(show(source, target, view), headers=dict(HEADERS))


def _server(source: Source, target: str, view: PastView) -> str:
    service = _service(source, target, view)
    measured = past.measured_on(source, target, view)
    shown = _card(source, target)
    past.refuse_unknown(source, target, [*service, *measured.times])
    return render_server(
        Past(
            target=target,
            version=source.health().version,
            view=view,
            availability=availability(service.get(target, ()), view.begin, view.end),
            unread=measured.unread,
            **_changes(source, target, view),
        ),
        shown,
        measured.times,
        measured.numbers,
    )


def _cluster(source: Source, target: str, view: PastView) -> str:
    cluster = source.cluster(target)
    service = _service(source, target, view)
    cards = {each.id: _card(source, each.id) for each in cluster.servers}
    removed = dict.fromkeys(sorted(service.keys() - cards.keys()))
    serving = sum(each is not None and each.side == "in service" for each in cards.values())
    least = cluster.min_in_service
    return render_cluster(
        Past(
            target=target,
            version=source.health().version,
            view=view,
            availability=cluster_availability(service, least, view.begin, view.end),
            **_changes(source, target, view),
        ),
        [_row(name, shown, service, view) for name, shown in (cards | removed).items()],
        serving=serving,
        least=least,
    )


def _row(target: str, shown: Card | None, service: Service, view: PastView) -> ServerRow:
    found = availability(service.get(target, ()), view.begin, view.end)
    return ServerRow(
        name=printable(target.partition("/")[2]),
        card=shown,
        band=service_band(found, view.begin, view.end, resolution=ROW_RESOLUTION),
    )


def _service(source: Source, target: str, view: PastView) -> Service:
    return past.service_of(source, AvailabilityRequest(target, view.begin, view.end))


def _changes(source: Source, target: str, view: PastView) -> dict[str, Any]:
    """Return the latest changes of the period, and whether there are more."""
    found = past.changes_of(source, ChangesQuery(target, MOST_CHANGES + 1, view.end, view.begin))
    return {"changes": found[:MOST_CHANGES], "has_more_changes": len(found) > MOST_CHANGES}


def _card(source: Source, target: str) -> Card | None:
    """Return the card of a server, which is open; None without a verdict."""
    known = source.live_state.view.clusters.get(target.partition("/")[0], {}).get(target)
    if known is None:
        return None
    now = source.now()
    override = source.overrides().get(target)
    shown = card(known, now, None if override is None else card_override(override, now))
    uris = {each.id: each.uri for each in source.servers()}
    return replace(shown, open=True, uri=printable(uris.get(target, ""), NAME_CHARACTERS))
