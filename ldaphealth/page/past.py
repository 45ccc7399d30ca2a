"""The page of a server, or of a cluster, with what the history shows of a period.

It has no script: periods are links, plots are SVG. Pure; `web/past_pages.py` reads the history.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from ldaphealth.history.availability import Availability
from ldaphealth.history.number_series import NumberSeries
from ldaphealth.history.times_document import OperationTimes
from ldaphealth.page.document import STYLE, file_text, headers, rendered
from ldaphealth.page.past_changes import Change, past_change
from ldaphealth.page.past_plots import (
    HIGH_NAME,
    constant,
    number_plot,
    operation_plot,
)
from ldaphealth.page.server_card import NAME_CHARACTERS, Card
from ldaphealth.page.service_band import ServiceBand, service_band
from ldaphealth.page.view_period import VIEW_PERIODS, PastView
from ldaphealth.plots.period_plot import HEIGHT, LEFT, WIDTH
from ldaphealth.text.duration import rounded_duration
from ldaphealth.text.moment import moment
from ldaphealth.text.number import percent
from ldaphealth.text.printable import printable

PAST_STYLE = STYLE + file_text("past.css")
HEADERS = headers(PAST_STYLE)
NO_VERDICT = "no verdict"


class Past(Struct, frozen=True, kw_only=True):
    """What the history has of a server or cluster in a period; `changes` are the newest first.

    `target` is its ID or name, `version` that of the program. `unread` says what could not be read
    in time, or is empty.
    """

    target: str
    version: str
    view: PastView
    availability: Availability
    changes: Sequence[Change]
    has_more_changes: bool = False
    unread: str = ""


class ServerRow(Struct, frozen=True, kw_only=True):
    """A server on the page of its cluster. `card` is None without a verdict."""

    name: str
    card: Card | None
    band: ServiceBand


def render_server(
    past: Past,
    card: Card | None,
    times: Sequence[OperationTimes] = (),
    numbers: Sequence[NumberSeries] = (),
) -> str:
    """Return the page of a server; `card` is None without a verdict."""
    cluster, _, name = past.target.partition("/")
    return _rendered(
        past,
        root="../../",
        kind=card.kind if card else "stale",
        cluster=printable(cluster),
        name=printable(name),
        card=card,
        side=_side(card),
        times=[operation_plot(each, past.view) for each in times],
        numbers=[number_plot(each, past.view) for each in numbers if not constant(each)],
        constants=", ".join(filter(None, map(constant, numbers))),
        servers=(),
        least=0,
    )


def render_cluster(past: Past, servers: Sequence[ServerRow], *, serving: int, least: int) -> str:
    """Return the page of a cluster: `serving` servers are in service now, `least` are needed."""
    return _rendered(
        past,
        root="../",
        kind="fine" if serving >= least else "out",
        cluster=printable(past.target),
        name="",
        card=None,
        side=f"{serving} of {len(servers)} in service",
        times=(),
        numbers=(),
        constants="",
        servers=servers,
        least=least,
    )


def _rendered(past: Past, **variables: Any) -> str:
    view = past.view
    return rendered(
        "past.html",
        PAST_STYLE,
        target=printable(past.target, NAME_CHARACTERS),
        version=printable(past.version, 64),
        view=view,
        periods=tuple(VIEW_PERIODS),
        begin=moment(view.begin),
        end=moment(view.end),
        band=service_band(past.availability, view.begin, view.end),
        service=service_rows(past.availability, view),
        changes=[past_change(each) for each in past.changes],
        has_more_changes=past.has_more_changes,
        unread=printable(past.unread),
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        high_name=HIGH_NAME,
        **variables,
    )


def service_rows(found: Availability, view: PastView) -> Sequence[tuple[str, str]]:
    """Return the availability as rows of a name and a value."""
    if not found.known_seconds:
        return [("in service", "not known: the history has no verdict of this period")]
    rows = [("in service", percent(found.share))]
    if found.known_seconds < view.period.seconds:
        rows.append(("known since", moment(view.end - found.known_seconds)))
    rows += [
        ("out for", rounded_duration(found.out_seconds) if found.outages else "-"),
        ("outages", str(len(found.outages))),
    ]
    if longest := found.longest:
        until = "" if longest.has_ended else ", and still is"
        causes = f" ({', '.join(longest.causes)})" if longest.causes else ""
        words = f"{rounded_duration(longest.seconds)}, out since {moment(longest.began)}"
        rows.append(("longest", printable(f"{words}{until}{causes}")))
    if found.removals:
        removed = ", ".join(f"{cause} {count}" for cause, count in found.removals.items())
        rows.append(("removed by", printable(removed)))
    return rows


def _side(card: Card | None) -> str:
    if card is None:
        return NO_VERDICT
    return f"{card.side}, {card.qualifier}" if card.qualifier else card.side
