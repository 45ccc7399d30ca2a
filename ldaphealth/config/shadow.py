"""Build the shadow of a cluster: the same servers and probes, judged by other settings.

build.py calls `shadow_of`. A shadow may have what decides verdicts, and nothing that changes what
is probed, or when.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, get_args, get_origin

from msgspec import UNSET, Struct
from msgspec.structs import fields, replace

from ldaphealth.check import AnyCheck
from ldaphealth.checks import BUILT_IN
from ldaphealth.config.fill import build_struct, fill, fill_some
from ldaphealth.config.mistakes import Problems, join
from ldaphealth.config.named_checks import COMMON
from ldaphealth.config.own_settings import with_own_params
from ldaphealth.config.shape import PROBES, ClusterEntry, ShadowEntry
from ldaphealth.judging.thresholds import Thresholds
from ldaphealth.model import CheckEffect
from ldaphealth.settings import Cluster, ClusterSettings, ConfiguredCheck, Settle
from ldaphealth.text.listed import listed
from ldaphealth.text.suggestion import suggestion

EFFECT = "effect"
OF_PROBES = ("confirm_seconds", "doubt_interval_seconds")  # of `settle`: when servers are probed
SETTLE = tuple(key for key in Settle.__struct_encode_fields__ if key not in OF_PROBES)
MOST_KEYS = 20


def _plain(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


# The key of these settings in a cluster, and in a shadow.
SETTLE_KEY = next(each.name for each in fields(ClusterSettings) if _plain(each.type) is Settle)


def attribute_names(params: type[Struct]) -> dict[str, str]:
    """Return the keys of settings, each with the name of its attribute."""
    return dict(zip(params.__struct_encode_fields__, params.__struct_fields__, strict=True))


def judged_settings(check: AnyCheck) -> tuple[str, ...]:
    """Return the keys of the settings of a check that change no probe; by default, thresholds."""
    if check.judged_settings is not None:
        return check.judged_settings
    return tuple(
        each.encode_name for each in fields(check.params) if _plain(each.type) is Thresholds
    )


def shadow_of(
    path: str, entry: ClusterEntry, shadow: ShadowEntry, cluster: Cluster, problems: Problems
) -> Cluster:
    """Return the cluster as its shadow judges it. It must not be used if there are problems.

    `path` is the place of the cluster. Settings that a server has of its own remain in force.
    """
    place = f"{path}.shadow"
    if shadow == ShadowEntry() and not problems.has_at(place):
        problems.add(place, f"is empty: it may have {listed(ShadowEntry.__struct_fields__, 9)}")
    checks = _checks(path, place, shadow.checks, cluster, problems)
    return replace(
        cluster,
        checks=with_own_params(path, cluster.name, entry, checks, Problems()),
        settle=_settle(f"{place}.{SETTLE_KEY}", shadow.settle, cluster.settle, problems),
        min_in_service=_floor(f"{place}.min_in_service", shadow, cluster, problems),
    )


def _floor(path: str, shadow: ShadowEntry, cluster: Cluster, problems: Problems) -> int:
    floor, count = shadow.min_in_service, len(cluster.servers)
    if floor is not None and floor > count:
        problems.add(path, f"must be at most {count}, the number of servers")
    return cluster.min_in_service if floor is None else floor


def _settle(path: str, given: Mapping[str, Any], usual: Settle, problems: Problems) -> Settle:
    _refuse_others(path, given, SETTLE, OF_PROBES, problems)
    values = fill_some(Settle, _only(given, SETTLE), path, problems)
    return replace(usual, **values)


def _checks(
    path: str, place: str, given: Mapping[str, Any], cluster: Cluster, problems: Problems
) -> tuple[ConfiguredCheck, ...]:
    """Return the checks of the cluster with the settings of the shadow in place of theirs."""
    configured = {each.name: each for each in cluster.checks}
    for name, settings in given.items():
        where, of_cluster = f"{place}.checks.{name}", f"{path}.checks.{name}"
        if name not in configured:
            problems.add(where, _unknown_check(name, configured, of_cluster))
        elif not isinstance(settings, dict):
            problems.add(where, f"must be a mapping of settings; {_on_or_off(of_cluster)}")
        elif not problems.has_at(of_cluster):
            configured[name] = _check(where, settings, configured[name], problems)
    return tuple(configured.values())


def _unknown_check(name: str, configured: Collection[str], of_cluster: str) -> str:
    if name in BUILT_IN:
        return f"the check is off in this cluster; {_on_or_off(of_cluster)}"
    return f"the cluster has no check {name!r}{suggestion(name, configured)}"


def _on_or_off(of_cluster: str) -> str:
    return f"on or off is set at {of_cluster}, because a shadow judges the same probes"


def _check(
    path: str, given: Mapping[str, Any], usual: ConfiguredCheck, problems: Problems
) -> ConfiguredCheck:
    kind, judged = usual.check.params, judged_settings(usual.check)
    others = {*COMMON, *kind.__struct_encode_fields__}
    _refuse_others(path, given, (EFFECT, *judged), others, problems)
    values = fill_some(kind, dict(_only(given, judged)), path, problems)
    effect = usual.effect
    if EFFECT in given and EFFECT not in judged:
        filled = fill(CheckEffect, given[EFFECT], join(path, EFFECT), problems)
        effect = effect if filled is UNSET else filled
    if usual.params is UNSET or problems.has_below(path):
        return usual
    same = {name: getattr(usual.params, name) for name in kind.__struct_fields__}
    params = build_struct(kind, same | values, path, problems)
    return replace(usual, params=usual.params if params is UNSET else params, effect=effect)


def _refuse_others(
    path: str,
    given: Mapping[str, Any],
    known: Sequence[str],
    others: Collection[str],
    problems: Problems,
) -> None:
    """Add a mistake for each key that is not known: those in `others` concern the probes."""
    for key in given:
        if key in known:
            continue
        what = f"unknown key{suggestion(str(key), known)}"
        if key in others:
            may = f"; it may have {listed(known, MOST_KEYS)}" if known else ""
            what = f"{PROBES}{may}"
        problems.add(join(path, key), what)


def _only(given: Mapping[str, Any], keys: Collection[str]) -> dict[str, Any]:
    return {key: each for key, each in given.items() if key in keys}
