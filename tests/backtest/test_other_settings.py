"""What counts of other settings for what was observed, and what is named as left out."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from ldaphealth.backtest.other_settings import with_other_settings
from ldaphealth.judging.thresholds import at_most
from ldaphealth.model import CheckEffect
from ldaphealth.settings import Cluster
from tests.checks.seen import cluster, planned, server

OBSERVED = cluster(planned("connect"), planned("search"), planned("latency"), servers=3)


def changed(name: str, effect: CheckEffect | None = None, **params: Any) -> Cluster:
    return replace(
        OBSERVED,
        checks=tuple(
            replace(each, params=replace(each.params, **params), effect=effect or each.effect)
            if each.name == name
            else each
            for each in OBSERVED.checks
        ),
    )


def test_the_same_settings_are_the_same() -> None:
    found = with_other_settings(OBSERVED, OBSERVED)
    assert found.cluster == OBSERVED
    assert found.left_out == ()


def test_thresholds_effects_and_rules_count() -> None:
    other = changed("search", CheckEffect.WATCH, seconds=at_most(7.0, 9.0))
    settle = replace(OBSERVED.settle, fall_soft=9, confirm_seconds=33.0)
    found = with_other_settings(OBSERVED, replace(other, settle=settle, min_in_service=3))
    search = found.cluster.checks[1]
    assert search.params.seconds == at_most(7.0, 9.0)
    assert search.effect is CheckEffect.WATCH
    assert found.cluster.settle == replace(OBSERVED.settle, fall_soft=9)
    assert found.cluster.min_in_service == 3
    assert found.left_out == ()


def test_what_probes_remains_and_is_named() -> None:
    found = with_other_settings(OBSERVED, changed("search", size_limit=5))
    assert found.cluster == OBSERVED
    (why,) = found.left_out
    assert why == "as at that time, because the probes would be others: search.size_limit"


def test_what_was_not_observed_is_named() -> None:
    more = cluster(*OBSERVED.checks, planned("resources"), servers=4)
    found = with_other_settings(OBSERVED, more)
    assert found.cluster == OBSERVED
    assert found.left_out == (
        "not observed at that time: check resources",
        "not observed at that time: server s3",
    )


def test_what_the_other_file_does_not_have_is_not_judged() -> None:
    less = cluster(planned("connect"), planned("search"), servers=2)
    found = with_other_settings(OBSERVED, replace(less, min_in_service=2))
    assert [each.name for each in found.cluster.checks] == ["connect", "search"]
    assert [each.name for each in found.cluster.servers] == ["s0", "s1"]
    assert found.left_out == ("not in the other file: server s2",)


def test_settings_of_a_server_count_for_that_server() -> None:
    of_server = replace(
        OBSERVED.checks[1],
        own_params={"c/s1": replace(OBSERVED.checks[1].params, seconds=at_most(1.0, 2.0))},
    )
    other = replace(OBSERVED, checks=(OBSERVED.checks[0], of_server, OBSERVED.checks[2]))
    search = with_other_settings(OBSERVED, other).cluster.checks[1]
    assert search.params_of(server("s1")).seconds == at_most(1.0, 2.0)
    assert search.params_of(server("s0")) == OBSERVED.checks[1].params
