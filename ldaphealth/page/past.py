"""The page of a server, or of a cluster, with what the history shows of a period.

It has no script: periods are links, plots are SVG. Pure; `web/past_pages.py` reads the history.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from ldaphealth.histogram import merged
from ldaphealth.history.availability import Availability
from ldaphealth.history.times_document import OperationTimes
from ldaphealth.page.document import STYLE, file_text, headers, rendered
from ldaphealth.page.past_changes import Change, past_change
from ldaphealth.page.server_card import NAME_CHARACTERS, Card
from ldaphealth.page.service_band import ServiceBand, service_band
from ldaphealth.page.view_period import VIEW_PERIODS, PastView
from ldaphealth.plots.axes import TimeAxis
from ldaphealth.plots.times_plot import HEIGHT, LEFT, WIDTH, Quantiles, TimesPlot, times_plot
from ldaphealth.text.duration import brief, rounded_duration
from ldaphealth.text.moment import moment
from ldaphealth.text.number import percent
from ldaphealth.text.printable import printable

MEDIAN, HIGH = 0.5, 0.99
HIGH_NAME = "99 %"
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


class OperationPlot(Struct, frozen=True, kw_only=True):
    """An operation: its quantiles over the whole period, and its plot."""

    check: str
    operation: str
    median: str
    high: str
    most: str
    count: int
    plot: TimesPlot


class ServerRow(Struct, frozen=True, kw_only=True):
    """A server on the page of its cluster. `card` is None without a verdict."""

    name: str
    card: Card | None
    band: ServiceBand


def render_server(past: Past, card: Card | None, times: Sequence[OperationTimes]) -> str:
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
        measured=[operation_plot(each, past.view) for each in times],
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
        measured=(),
        servers=servers,
        least=least,
    )


def operation_plot(times: OperationTimes, view: PastView) -> OperationPlot:
    """Return the times of an operation for the page."""
    whole = merged(each.durations for each in times.periods)
    quantiles = [
        Quantiles(
            start=each.start_epoch,
            length_seconds=each.seconds,
            median_seconds=each.durations.quantile(MEDIAN),
            high_seconds=each.durations.quantile(HIGH),
        )
        for each in times.periods
        if each.durations.count
    ]
    return OperationPlot(
        check=printable(times.check, 64),
        operation=printable(times.operation, 64),
        median=brief(whole.quantile(MEDIAN)),
        high=brief(whole.quantile(HIGH)),
        most=brief(whole.most if whole.count else 0.0),
        count=whole.count,
        plot=times_plot(quantiles, TimeAxis(view.begin, view.end), HIGH_NAME),
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
        numbers=numbers(past.availability, view),
        changes=[past_change(each) for each in past.changes],
        has_more_changes=past.has_more_changes,
        unread=printable(past.unread),
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        high_name=HIGH_NAME,
        **variables,
    )


def numbers(found: Availability, view: PastView) -> Sequence[tuple[str, str]]:
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
