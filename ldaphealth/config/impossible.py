"""Thresholds that can never alert or always do, by what the check can measure.

A check states that in `Meta(extra=...)` of the setting: `least` is a number, `most` a number or the
name of a setting of the check or of the cluster. build.py reports what is found here.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Annotated, Any, get_args, get_origin

from msgspec import Meta, Struct
from msgspec.structs import fields

from ldaphealth.check import CheckedCluster
from ldaphealth.judging.thresholds import Range, Thresholds
from ldaphealth.model import SettingMistakes

NEARLY_NOTHING = 1e-6  # the least that is shown as a number


class Measured(Struct, frozen=True):
    """The least and the largest value that can be measured, and the setting that bounds them."""

    least: float = -inf
    most: float = inf
    bound_by: str = ""

    def __str__(self) -> str:
        if self.least == -inf:
            return "any number"
        least = "more than 0" if 0 < self.least < NEARLY_NOTHING else f"at least {self.least:g}"
        most = "" if self.most == inf else f", at most {self.most:g}"
        return least + most + (f" ({self.bound_by})" if self.bound_by else "")


def impossible_thresholds(
    params: Struct, cluster: CheckedCluster, place: str = ""
) -> SettingMistakes:
    """Yield the thresholds in the settings of a check that cannot work, with a message.

    Defaults are not reported: they may be useless after another setting has changed.
    """
    for field in fields(params):
        value, key = getattr(params, field.name), f"{place}{field.encode_name}"
        if isinstance(value, Thresholds):
            default = field.default if isinstance(field.default, Thresholds) else Thresholds()
            measured = _measured(field.type, params, cluster)
            for name, what in _mistakes(value, default, measured):
                yield f"{key}.{name}", what
        elif isinstance(value, tuple):
            for number, each in enumerate(value, 1):
                if isinstance(each, Struct):
                    yield from impossible_thresholds(each, cluster, f"{key}.{number}.")


def _mistakes(limits: Thresholds, default: Thresholds, measured: Measured) -> SettingMistakes:
    for name in ("warning", "critical"):
        written: Range | None = getattr(limits, name)
        if written is not None and written != getattr(default, name):
            for what in _wrong(written, measured):
                yield name, f"{written} {what}"
    warning, critical = limits.warning, limits.critical
    if warning and critical and warning != critical and _is_within(warning, critical):
        yield "warning", f"{warning} only alerts where critical, {critical}, alerts too"


def _wrong(limits: Range, measured: Measured) -> Iterator[str]:
    """Yield why a range cannot work."""
    is_outside = limits.end < measured.least or limits.start > measured.most
    is_whole = limits.start <= measured.least and limits.end >= measured.most
    if is_outside or is_whole:
        always = is_outside is not limits.inside_alerts
        yield f"{'always alerts' if always else 'can never alert'}: what is measured is {measured}"
    elif measured.most <= limits.end < inf and not limits.inside_alerts:
        yield f"has an upper bound that is never exceeded: what is measured is {measured}"


def _is_within(warning: Range, critical: Range) -> bool:
    """Return whether every value that alerts by `warning` also alerts by `critical`."""
    if warning.inside_alerts is not critical.inside_alerts:
        return False
    inner, outer = (warning, critical) if warning.inside_alerts else (critical, warning)
    return outer.start <= inner.start and inner.end <= outer.end


def _measured(kind: Any, params: Struct, cluster: CheckedCluster) -> Measured:
    extra: dict[str, Any] = {}
    for each in get_args(kind)[1:] if get_origin(kind) is Annotated else ():
        extra |= (isinstance(each, Meta) and each.extra) or {}
    most = extra.get("most", inf)
    if isinstance(most, str):
        owner = params if most in params.__struct_fields__ else cluster
        return Measured(extra.get("least", -inf), getattr(owner, most), most)
    return Measured(extra.get("least", -inf), most)
