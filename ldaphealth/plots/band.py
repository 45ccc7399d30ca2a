"""A band of a period: what the state was from when to when, as shares of the period."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from ldaphealth.clocks import EpochSeconds
from ldaphealth.plots.axes import TimeAxis

RESOLUTION = 0.001  # of the period; parts of one kind that are nearer are one


class Span(Struct, frozen=True):
    """A time of one kind, with a text for people."""

    began: EpochSeconds
    ended: EpochSeconds
    kind: str
    text: str


class BandPart(Struct, frozen=True, kw_only=True):
    """A part of a band: where it begins and how long it is; `texts` has those of its spans."""

    share: float
    length: float
    kind: str
    texts: tuple[str, ...]


def band(
    spans: Iterable[Span], axis: TimeAxis, resolution: float = RESOLUTION
) -> tuple[BandPart, ...]:
    """Return the parts of spans, which are in their order; those outside are left out.

    Spans of one kind that no screen could show apart are one part, so there are about as many parts
    as `resolution` permits, however many spans there are.
    """
    parts: list[_GrowingPart] = []
    for span in spans:
        if span.ended <= axis.since or span.began >= axis.until:
            continue
        begin, end = axis.share(span.began), axis.share(span.ended)
        last = parts[-1] if parts else None
        if last and last.kind == span.kind and begin - last.end < resolution:
            last.end = max(end, last.end)
            last.texts.append(span.text)
        else:
            parts.append(_GrowingPart(begin, end, span.kind, [span.text]))
    return tuple(
        BandPart(
            share=part.begin, length=part.end - part.begin, kind=part.kind, texts=tuple(part.texts)
        )
        for part in parts
    )


class _GrowingPart(Struct):
    """A part while spans are added to it."""

    begin: float
    end: float
    kind: str
    texts: list[str]
