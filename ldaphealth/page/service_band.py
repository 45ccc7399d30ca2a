"""The band of a period on the page: when a server, or a cluster, was in service. Pure."""

from __future__ import annotations

from msgspec import Struct

from ldaphealth.clocks import EpochSeconds
from ldaphealth.history.availability import OPERATOR, Availability, Outage
from ldaphealth.plots.axes import Tick, TimeAxis
from ldaphealth.plots.band import RESOLUTION, BandPart, Span, band
from ldaphealth.text.duration import rounded_duration
from ldaphealth.text.moment import moment
from ldaphealth.text.number import percent
from ldaphealth.text.printable import printable

MOST_TEXTS = 3  # outages in the text of one part
MOST_OUTAGES = 10  # in the description


class ServicePart(Struct, frozen=True, kw_only=True):
    """A part of the band, with its place and length in percent."""

    place: float
    length: float
    kind: str  # in, out or drained
    text: str


class ServiceBand(Struct, frozen=True, kw_only=True):
    """The band: parts above what is not known, the labels of its axis, and a description."""

    parts: tuple[ServicePart, ...]
    ticks: tuple[Tick, ...]
    share: str
    outages: int
    out_for: str
    description: str


def service_band(
    found: Availability,
    since: EpochSeconds,
    until: EpochSeconds,
    *,
    resolution: float = RESOLUTION,
) -> ServiceBand:
    """Return the band of a period; `resolution` is that of its outages (`plots/band.py`)."""
    axis = TimeAxis(since, until)
    known = [Span(until - found.known_seconds, until, "in", "")] if found.known_seconds else []
    outages = [
        Span(each.began, each.ended, _kind(each), outage_words(each)) for each in found.outages
    ]
    parts = (*band(known, axis), *band(outages, axis, resolution))
    out_for = rounded_duration(found.out_seconds) if found.outages else ""
    return ServiceBand(
        parts=tuple(map(_part, parts)),
        ticks=axis.ticks(),
        share=percent(found.share),
        outages=len(found.outages),
        out_for=out_for,
        description=_description(found),
    )


def outage_words(outage: Outage) -> str:
    """Return an outage in words."""
    causes = f" ({', '.join(outage.causes)})" if outage.causes else ""
    return printable(
        f"out for {rounded_duration(outage.seconds)} since {moment(outage.began)}{causes}"
    )


def _kind(outage: Outage) -> str:
    return "drained" if outage.causes == (OPERATOR,) else "out"


def _part(part: BandPart) -> ServicePart:
    shown = [each for each in part.texts if each][:MOST_TEXTS]
    more = len(part.texts) - MOST_TEXTS
    text = "; ".join(shown) + (f"; and {more} more" if more > 0 else "")
    return ServicePart(
        place=round(100 * part.share, 3),
        length=round(100 * part.length, 3),
        kind=part.kind,
        text=text,
    )


def _description(found: Availability) -> str:
    if not found.known_seconds:
        return "Nothing is known of this period."
    texts = [outage_words(each) for each in found.outages[:MOST_OUTAGES]]
    more = len(found.outages) - MOST_OUTAGES
    if more > 0:
        texts.append(f"and {more} more")
    return f"In service for {percent(found.share)} of the known time. {'; '.join(texts)}".strip()
