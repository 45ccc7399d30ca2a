"""Other thresholds of one setting, from a quarter of it to five times as much, to compare. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isinf
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.judging.thresholds import Range, Thresholds
from ldaphealth.settings import Cluster, ConfiguredCheck
from ldaphealth.text.suggestion import suggestion

FACTORS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)


class Candidate(Struct, frozen=True):
    """The settings with other thresholds; `is_now`: those of the file."""

    thresholds: Thresholds
    cluster: Cluster
    is_now: bool


def candidates(cluster: Cluster, setting: str) -> list[Candidate]:
    """Return the settings with thresholds from strict to lenient.

    `setting` is CHECK.SETTING, such as search.seconds. ValueError: it has no largest number.
    """
    name, _, key = setting.partition(".")
    checks = {each.name: each for each in cluster.checks}
    if name not in checks:
        raise ValueError(f"cluster {cluster.name} has no check {name!r}{suggestion(name, checks)}")
    usual = _thresholds(checks[name])
    if key not in usual:
        raise ValueError(
            f"{name} has no thresholds {key!r}{suggestion(key, usual)}"
            if usual
            else f"{name} has no thresholds"
        )
    scaled = [_scaled(usual[key], factor) for factor in FACTORS]
    if usual[key] == scaled[0]:
        raise ValueError(f"{setting} has no largest number that could be another one")
    return [
        Candidate(each, _with(cluster, name, key, each), factor == 1.0)
        for factor, each in zip(FACTORS, scaled, strict=True)
    ]


def _thresholds(configured: ConfiguredCheck) -> dict[str, Thresholds]:
    params = configured.params
    values = ((key, getattr(params, key)) for key in params.__struct_fields__)
    return {key: value for key, value in values if isinstance(value, Thresholds)}


def _scaled(limits: Thresholds, factor: float) -> Thresholds:
    return Thresholds(*(_scaled_range(each, factor) for each in (limits.warning, limits.critical)))


def _scaled_range(limits: Range | None, factor: float) -> Range | None:
    """Return a range with another end; one without an end, such as `1:`, remains."""
    if limits is None or isinf(limits.end) or limits.inside_alerts:
        return limits
    return Range(limits.start, float(f"{limits.end * factor:.6g}"))


def _with(cluster: Cluster, name: str, key: str, limits: Thresholds) -> Cluster:
    """Return the settings with these thresholds of a check, on all servers."""
    return replace(
        cluster,
        checks=tuple(
            replace(
                each,
                params=replace(each.params, **{key: limits}),
                own_params={
                    server: replace(params, **{key: limits})
                    for server, params in each.own_params.items()
                },
            )
            if each.name == name
            else each
            for each in cluster.checks
        ),
    )


def suggestion_document(
    document: Mapping[str, Any], setting: str, tried: Sequence[Candidate]
) -> dict[str, Any]:
    """Return the document of a backtest with the sides of the candidates, and the one to take."""
    before, *sides = document["sides"]
    limits = [(each.thresholds.warning, each.thresholds.critical) for each in tried]
    return {key: each for key, each in document.items() if key != "sides"} | {
        "setting": setting,
        "sides": [before],
        "candidates": [
            {
                "warning": None if warning is None else str(warning),
                "critical_above": None if critical is None else str(critical),
                "is_now": each.is_now,
                "out_of_service": side["out_of_service"],
                "critical": side["critical"],
            }
            for each, side, (warning, critical) in zip(tried, sides, limits, strict=True)
        ],
        "suggested": suggested(sides, [each.is_now for each in tried].index(True)),
    }


def suggested(sides: Sequence[Mapping[str, Any]], now: int) -> int:
    """Return the place of the thresholds to take; `sides` are those of the document, strict first.

    Those with the fewest removals outside of incidents count, and of them those that find the most
    incidents by removals, and then by CRITICAL. Where no incident is marked it is the fewest
    removals alone. Among equals it is the nearest to those in use, at place `now`, and rather a
    more lenient one.
    """
    return max(
        range(len(sides)),
        key=lambda place: (*_price(sides[place]), -abs(place - now), place),
    )


def _price(side: Mapping[str, Any]) -> tuple[int, int, int]:
    removals, critical = side["out_of_service"], side["critical"]
    if removals["score"] is None:
        return -removals["outages"], 0, 0
    outside = removals["outages"] - removals["score"]["in_incidents"]
    return -outside, removals["score"]["found"], critical["score"]["found"]
