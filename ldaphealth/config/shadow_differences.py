"""What a shadow has in place of the settings of its cluster, for `config check` and the log."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any

from msgspec import Struct
from msgspec.structs import fields

from ldaphealth.config.shape import ShadowEntry
from ldaphealth.settings import Cluster
from ldaphealth.text.listed import listed

MOST_SHOWN = 12


class SettingDifference(Struct, frozen=True):
    """One setting, such as `checks.search.seconds.critical`, in the cluster and in its shadow."""

    setting: str
    cluster: str
    shadow: str

    def __str__(self) -> str:
        return f"{self.setting} {self.shadow} instead of {self.cluster}"


def differences(cluster: Cluster) -> list[SettingDifference]:
    """Return the settings that differ between a cluster and its shadow; none without a shadow."""
    shadow = cluster.shadow
    if shadow is None:
        return []
    found: list[SettingDifference] = []
    for name in ShadowEntry.__struct_fields__:
        if name != "checks":
            found += _different(name, getattr(cluster, name), getattr(shadow, name))
    for usual, other in zip(cluster.checks, shadow.checks, strict=True):
        place = f"checks.{usual.name}"
        found += _different(f"{place}.effect", usual.effect, other.effect)
        found += _different(place, usual.params, other.params)
    return found


def shadow_line(cluster: Cluster) -> str:
    """Return how the shadow of a cluster differs, as one line; "" without a shadow."""
    if cluster.shadow is None:
        return ""
    found = [str(each) for each in differences(cluster)]
    return listed(found, MOST_SHOWN) if found else "differs in no setting"


def _different(setting: str, one: Any, another: Any) -> Iterator[SettingDifference]:
    """Yield the difference of two values; of Structs that of each field."""
    if isinstance(one, Struct) and type(one) is type(another) and not _has_text(one):
        for each in fields(one):
            of_both = getattr(one, each.name), getattr(another, each.name)
            yield from _different(f"{setting}.{each.encode_name}", *of_both)
    elif one != another:
        yield SettingDifference(setting, _shown(one), _shown(another))


def _shown(value: Any) -> str:
    if value is None or value == ():
        return "none"
    if isinstance(value, tuple):
        return ", ".join(map(_shown, value))
    if isinstance(value, Struct) and not _has_text(value):
        given = {each: getattr(value, each) for each in value.__struct_fields__}
        return " ".join(f"{key} {_shown(each)}" for key, each in given.items())
    return str(value.value) if isinstance(value, Enum) else str(value)


def _has_text(value: Struct) -> bool:
    return type(value).__str__ is not object.__str__
