"""A scrape has every metric of the table, no stale verdict, and only harmless text."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from math import inf, isnan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import fields, replace
from prometheus_client.metrics_core import Metric as Parsed
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families

from ldaphealth.checks import BUILT_IN, monitor, resources
from ldaphealth.checks.links import Facts as LinkFacts
from ldaphealth.checks.links import Link
from ldaphealth.guard.rules import RULES
from ldaphealth.judging.thresholds import Thresholds
from ldaphealth.live.live_server import LiveServer
from ldaphealth.live.live_state import LiveView
from ldaphealth.model import (
    AnyObservation,
    CheckEffect,
    Finding,
    Metric,
    Observation,
    Reason,
    State,
    Verdict,
)
from ldaphealth.octaves import octaves_of
from ldaphealth.prometheus import METRICS, Probed, exposition, exposition_of_probe
from ldaphealth.prometheus.buckets import cumulative
from ldaphealth.prometheus.encoder import MOST_SERIES
from ldaphealth.prometheus.family import EXPONENTS, Family, MetricType
from ldaphealth.prometheus.readings import holds
from ldaphealth.publishers.shadow_publication import beside
from tests.prometheus.drawn import NAMES, knowns
from tests.sinks.healthy import HEALTH, NOW, UNTIL, cluster, healthy, view
from tests.sinks.nasty import NASTY, nasty_snapshot

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
# What Prometheus 2.42 sends.
ACCEPT = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
OPERATION = "ldaphealth_operation_duration_seconds"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8"
LABELS = {"cluster": "example", "server": "ldap1"}
Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]

BOUNDS = [2.0**exponent for exponent in EXPONENTS]


def samples(families: Iterable[Parsed]) -> Samples:
    found = [
        ((sample.name, frozenset(sample.labels.items())), sample.value)
        for family in families
        for sample in family.samples
    ]
    assert len(found) == len(dict(found)), "a series twice spoils the whole scrape"
    return dict(found)


def parsed(body: bytes) -> Iterable[Parsed]:
    found: Iterable[Parsed] = text_string_to_metric_families(body.decode())
    return found


def scraped(shown: LiveView, now: float = NOW) -> Samples:
    """Return the samples of the text format; those of OpenMetrics must be the same."""
    body, _ = exposition(shown, HEALTH, now)
    other, _ = exposition(shown, HEALTH, now, OPENMETRICS)
    series = samples(parsed(body))
    read = openmetrics_parser.text_string_to_metric_families
    same = samples(read(other.decode()))  # type: ignore[no-untyped-call]
    assert {k: str(v) for k, v in series.items()} == {k: str(v) for k, v in same.items()}
    return series


def value(series: Samples, name: str, **labels: str) -> float | None:
    return series.get((name, frozenset({**LABELS, **labels}.items())))


def one(verdict: Verdict) -> Samples:
    return scraped(view(verdict))


@pytest.fixture(scope="module")
def series() -> Samples:
    return scraped(cluster(2))


@pytest.mark.parametrize(
    ("name", "labels", "wanted"),
    [
        ("ldaphealth_server_verdict_valid", {}, 1),
        ("ldaphealth_server_in_service", {}, 1),
        ("ldaphealth_server_weight", {}, 100),
        ("ldaphealth_server_draining", {}, 0),
        ("ldaphealth_server_unchanged_seconds", {}, 3600),
        ("ldaphealth_server_state", {"state": "ok"}, 1),
        ("ldaphealth_server_state", {"state": "critical"}, 0),
        ("ldaphealth_server_held", {"held_by": "floor"}, 0),
        ("ldaphealth_check_severity", {"check": "bind"}, 0),
        ("ldaphealth_replication_behind_seconds", {"server_id": "003", "suffix": ""}, 0),
        ("ldaphealth_replication_csn_gap_seconds", {"server_id": "003", "suffix": ""}, 0.75),
        ("ldaphealth_consumer_link_connected", {"provider": "ldap://192.0.2.11"}, 1),
        ("ldaphealth_consumer_link_silent_seconds", {"provider": "ldap://192.0.2.11"}, 12.5),
        ("ldaphealth_slapd_operations_completed_total", {"operation": "search"}, 102),
        ("ldaphealth_slapd_requests_in_flight", {"operation": "search"}, 2),
        ("ldaphealth_slapd_requests_in_flight", {"operation": "bind"}, 0),
        ("ldaphealth_slapd_connections", {}, 7),
        ("ldaphealth_slapd_sent_bytes_total", {}, 7),
        ("ldaphealth_slapd_threads", {"state": "max_pending"}, 7),
        ("ldaphealth_slapd_waiters", {"for": "write"}, 7),
        ("ldaphealth_slapd_info", {"version": "OpenLDAP: slapd 2.6.10"}, 1),
        ("ldaphealth_slapd_start_timestamp_seconds", {}, 1.7e9),
        ("ldaphealth_slapd_clock_ahead_seconds", {}, -1),
        ("ldaphealth_slapd_database_read_only", {"suffix": "dc=example,dc=com"}, 0),
        ("ldaphealth_slapd_database_is_copy", {"suffix": "dc=example,dc=com"}, 1),
        (
            "ldaphealth_slapd_database_overlay",
            {"suffix": "dc=example,dc=com", "overlay": "syncprov"},
            1,
        ),
        ("ldaphealth_slapd_pending_operations", {}, 0),
        ("ldaphealth_slapd_connections_ratio", {}, 0.02),
        ("ldaphealth_slapd_database_ratio", {"suffix": "dc=example,dc=com"}, 0.4),
        ("ldaphealth_slapd_readers_ratio", {"suffix": "dc=example,dc=com"}, 0.1),
        ("ldaphealth_certificate_expiry_timestamp_seconds", {}, 1.8e9),
        ("ldaphealth_client_certificate_expiry_timestamp_seconds", {}, 1.7e9),
        ("ldaphealth_password_expiry_timestamp_seconds", {}, 1.9e9),
        ("ldaphealth_server_rounds_total", {}, 1),
        ("ldaphealth_server_failed_rounds_total", {}, 0),
        (OPERATION + "_count", {"operation": "search"}, 7),
        (OPERATION + "_sum", {"operation": "modify"}, 0.012),
        (OPERATION + "_bucket", {"operation": "modify", "le": "0.00390625"}, 0),
        (OPERATION + "_bucket", {"operation": "modify", "le": "0.015625"}, 1),
        (OPERATION + "_count", {"operation": "resolve"}, None),
        (OPERATION + "_count", {"operation": "unbind"}, None),
        ("ldaphealth_slapd_operations_completed_total", {"operation": "own"}, None),
    ],
)
def test_a_healthy_server(
    series: Samples, name: str, labels: dict[str, str], wanted: float | None
) -> None:
    assert value(series, name, **labels) == wanted


@pytest.mark.parametrize(
    ("name", "labels", "wanted"),
    [
        ("ldaphealth_build_info", {"version": "1.2.3"}, 1),
        ("ldaphealth_agent_up_seconds", {}, 600),
        ("ldaphealth_agent_rounds_total", {}, 480),
        ("ldaphealth_agent_overruns_total", {}, 1),
        ("ldaphealth_agent_deadline_misses_total", {}, 5),
        ("ldaphealth_agent_rounds_in_flight", {}, 2),
        ("ldaphealth_agent_waiting_rounds", {}, 3),
        ("ldaphealth_agent_late_total", {}, 0.0),
        ("ldaphealth_agent_late_seconds_total", {}, 0.0),
        ("ldaphealth_agent_loop_age_seconds", {}, 0.5),
        ("ldaphealth_series_left_out", {}, 0),
    ],
)
def test_the_agent(series: Samples, name: str, labels: dict[str, str], wanted: float) -> None:
    assert series[name, frozenset(labels.items())] == wanted


SPLIT = Reason("replication.split", "one half lacks", State.WARNING, CheckEffect.OUT, removes=False)


@pytest.mark.parametrize(
    ("change", "name", "labels", "wanted"),
    [
        ({"in_service": False}, "ldaphealth_server_in_service", {}, 0),
        ({"draining": True}, "ldaphealth_server_draining", {}, 1),
        ({"held_by": "floor"}, "ldaphealth_server_held", {"held_by": "floor"}, 1),
        ({"held_by": "floor"}, "ldaphealth_server_held", {"held_by": "blind"}, 0),
        ({"state": State.UNKNOWN}, "ldaphealth_server_state", {"state": "unknown"}, 1),
        ({"state": State.UNKNOWN}, "ldaphealth_server_state", {"state": "ok"}, 0),
        ({"reasons": (SPLIT,)}, "ldaphealth_reason_severity", {"code": "replication.split"}, 2),
        ({"reasons": ()}, "ldaphealth_reason_severity", {"code": "replication.split"}, None),
    ],
)
def test_what_a_verdict_says(
    change: dict[str, object], name: str, labels: dict[str, str], wanted: float | None
) -> None:
    assert value(one(replace(healthy("example/ldap1"), **change)), name, **labels) == wanted


def test_the_worst_finding_of_a_check_counts() -> None:
    server = "example/ldap1"
    states = (State.WARNING, State.UNKNOWN, State.OK)
    findings = tuple(
        Finding(server=server, check="replication", state=each, code="x", summary="x")
        for each in states
    )
    series = one(replace(healthy(server), findings=findings))

    assert value(series, "ldaphealth_check_severity", check="replication") == 2


def test_naming_contexts_are_distinguished() -> None:
    server = "example/ldap1"
    metrics = (
        Metric("behind_seconds", 1.0, label="001 dc=a"),
        Metric("behind_seconds", 2.0, label="001 dc=b,dc=c d"),
    )
    finding = Finding(
        server=server, check="replication", state=State.OK, code="ok", summary="", metrics=metrics
    )
    series = one(replace(healthy(server), findings=(finding,)))

    behind = "ldaphealth_replication_behind_seconds"
    assert value(series, behind, server_id="001", suffix="dc=a") == 1.0
    assert value(series, behind, server_id="001", suffix="dc=b,dc=c d") == 2.0


def test_an_expired_verdict_has_no_series_but_counts_continue() -> None:
    series = scraped(cluster(1), now=UNTIL)
    of_server = {name for name, labels in series if ("server", "ldap1") in labels}

    assert of_server == {
        "ldaphealth_server_verdict_valid",
        "ldaphealth_server_rounds_total",
        "ldaphealth_server_failed_rounds_total",
        OPERATION + "_bucket",
        OPERATION + "_count",
        OPERATION + "_sum",
    }
    assert value(series, "ldaphealth_server_verdict_valid") == 0


def test_facts_of_an_earlier_session_are_left_out() -> None:
    known = cluster(1).clusters["example"]["example/ldap1"]
    refused: AnyObservation = Observation(
        server="example/ldap1", check="connect", started_at=NOW, duration_seconds=0.1
    )
    later = replace(known, seen={**known.seen, "connect": refused})
    series = scraped(LiveView({"example": {"example/ldap1": later}}))

    assert value(series, "ldaphealth_server_in_service") == 1
    assert not [name for name, _ in series if name.startswith("ldaphealth_slapd_")]


def test_the_table_and_the_exposition_have_the_same_metrics() -> None:
    broken = replace(healthy("example/ldap1"), reasons=(SPLIT,))
    arrived = Finding(
        server="example/ldap1",
        check="propagation",
        state=State.OK,
        code="ok",
        summary="",
        metrics=(Metric("propagation_seconds", 0.2),),
    )
    apart = (
        Metric("isolated_seconds", 66.0, label="001"),
        Metric("split_seconds", 66.0, label="002"),
    )
    split = replace(arrived, check="replication", metrics=apart)
    of_clients = (
        Metric("traffic_operations", 120.0, label="search"),
        Metric("traffic_mean_seconds", 0.01, label="search"),
        Metric("traffic_failed_ratio", 0.02, label="busy"),
    )
    traffic = replace(arrived, check="traffic", metrics=of_clients)
    of_shapes = (
        Metric("staff_shape_operations", 24.0, label="search-uid"),
        Metric("staff_shape_seconds", 0.01, label="search-uid"),
        Metric("staff_shape_different_ratio", 0.4, label="search-uid"),
    )
    staff = replace(arrived, check="staff", metrics=of_shapes)
    full = Metric("forecast_full_seconds", 86_400.0, label="database dc=example,dc=com")
    soon = replace(arrived, check="forecast", metrics=(full,))
    more = (arrived, split, traffic, staff, soon)
    shown = view(replace(broken, findings=(*broken.findings, *more)))
    known = shown.clusters["example"]["example/ldap1"]
    times = {**known.times, "from ldap2": octaves_of([0.02, 3.0])}
    shadow = beside(known.verdict, replace(known.verdict, in_service=False, weight=0))
    with_shadow = replace(known, times=times, shadow=shadow)
    shown = LiveView({"example": {"example/ldap1": with_shadow}})
    bodies = [exposition(shown, HEALTH, NOW)[0], exposition_of_probe(shown, Probed(True, 0.1))[0]]
    types = {
        (family.name + ("_total" if family.type == "counter" else ""), family.type)
        for body in bodies
        for family in parsed(body)
    }
    kinds = {
        (family.name, "gauge" if family.kind is MetricType.INFO else family.kind.value)
        for family in METRICS
    }

    assert types == kinds


def test_the_time_until_a_change_arrived_is_no_time_of_an_operation() -> None:
    known = cluster(1).clusters["example"]["example/ldap1"]
    times = {**known.times, "from ldap2": octaves_of([0.02, 3.0])}
    series = scraped(LiveView({"example": {"example/ldap1": replace(known, times=times)}}))
    name = "ldaphealth_replication_propagation_duration_seconds"

    assert value(series, name + "_count", provider="ldap2") == 2
    assert value(series, name + "_bucket", provider="ldap2", le="1.0") == 1
    assert value(series, name + "_bucket", provider="ldap2", le="4.0") == 2
    assert value(series, OPERATION + "_count", operation="from ldap2") is None


def test_the_rules_of_the_guard_are_all_shown() -> None:
    assert [rule for (rule,), _ in holds("")] == [rule.name for rule in RULES]


@pytest.mark.parametrize("family", METRICS, ids=lambda family: family.name)
def test_names_follow_the_guidelines(family: Family[Any]) -> None:
    """https://prometheus.io/docs/practices/naming/; promtool checks the rest."""
    last = family.name.rpartition("_")[2]

    assert re.fullmatch(r"(ldaphealth|probe)_[a-z_]+[a-z]", family.name)
    assert (last == "total") == (family.kind is MetricType.COUNTER)
    assert (last == "info") == (family.kind is MetricType.INFO)
    assert family.help.endswith(".")
    assert not set(family.labels) & {"le", "quantile", "type", "job", "instance", "dn"}


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_nothing_that_a_server_sends_breaks_the_answer(text: str) -> None:
    server = f"example/{text[:50]}"
    link = Link(
        dn=text, started=text, name=text, connected=True, phase=text, connect=text, contact=text
    )
    facts: dict[str, Struct] = {
        "resources": resources.Facts(databases=(resources.Database(text, 0.5, 0.5),) * 3),
        "consumer": LinkFacts(1, (link,)),
        "monitor": monitor.Facts(completed={text: 1, "search": 7, "bind": 3}, own={text: 1}),
    }
    seen: dict[str, AnyObservation] = {
        check: Observation(
            server=server, check=check, started_at=NOW, duration_seconds=0.1, facts=of
        )
        for check, of in facts.items()
    }
    verdicts = nasty_snapshot(text).verdicts
    known = LiveServer(
        verdict=replace(verdicts[0], server=server),
        valid_until=UNTIL,
        seen=seen,
        times={text: octaves_of((0.1,))},
        rounds=1,
        failed_rounds=0,
    )
    shown = LiveView({"example": {server: known, server + "\n": known}})
    body, _ = exposition(shown, HEALTH, NOW)
    series = scraped(shown)
    values = [label for _, labels in series for _, label in labels]

    assert max(map(len, values)) <= 100
    assert all(each.isprintable() for each in values)
    assert all(line.isprintable() for line in body.decode().splitlines())
    assert len(body) < 64 * 1024


def test_the_series_of_a_thousand_links_are_cut_and_the_cut_is_reported() -> None:
    known = cluster(1).clusters["example"]["example/ldap1"]
    links = tuple(
        Link(
            dn=f"cn=Consumer {number}",
            started="",
            name=f"ldap://{number}",
            connected=True,
            phase="Persist",
            connect="",
            contact="",
        )
        for number in range(1000)
    )
    seen: AnyObservation = Observation(
        server="example/ldap1",
        check="consumer",
        started_at=NOW,
        duration_seconds=0.1,
        facts=LinkFacts(1000, links),
    )
    shown = LiveView({"example": {"example/ldap1": replace(known, seen={"consumer": seen})}})
    series = scraped(shown)

    assert sum(name == "ldaphealth_consumer_link_connected" for name, _ in series) == MOST_SERIES
    assert series["ldaphealth_series_left_out", frozenset()] == 1000 - MOST_SERIES


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", TEXT),
        ("*/*", TEXT),
        ("text/html", TEXT),
        (ACCEPT, OPEN),
        ("application/openmetrics-text", OPEN),
        ("application/openmetrics-text;version=x.y", TEXT),
        ("application/openmetrics-text;version=1.0.é", TEXT),
        ("application/openmetrics-text;version=" + "9" * 5000, TEXT),
    ],
)
def test_the_form_is_the_one_that_was_asked_for(accept: str, wanted: str) -> None:
    body, content_type = exposition(cluster(1), HEALTH, NOW, accept)

    assert content_type == wanted
    assert body.endswith(b"# EOF\n") == wanted.startswith("application/openmetrics")


@given(st.text(max_size=200))
def test_any_accept_header_is_answered(accept: str) -> None:
    body, content_type = exposition(LiveView(), HEALTH, NOW, accept)

    assert b"ldaphealth_build_info" in body
    assert content_type.isascii()


def test_there_are_no_timestamps() -> None:
    body, _ = exposition(cluster(1), HEALTH, NOW)

    assert all(
        len(line.rpartition("}")[2].split()) == 1
        for line in body.decode().splitlines()
        if "}" in line and not line.startswith("#")
    )


@given(st.lists(st.floats(0, 1000) | st.sampled_from(BOUNDS), max_size=50))
def test_buckets_count_what_is_below_their_bounds(numbers: list[float]) -> None:
    counts = cumulative(octaves_of(numbers), EXPONENTS)

    assert counts == [
        *(sum(number < 2.0**exponent for number in numbers) for exponent in EXPONENTS),
        len(numbers),
    ]


@given(st.dictionaries(NAMES, knowns(), max_size=4))
def test_whatever_is_known_can_be_read_back(servers: dict[str, LiveServer]) -> None:
    series = scraped(LiveView({"c": {f"c/{name}": known for name, known in servers.items()}}))
    valid = [each for each in servers.values() if not each.is_stale(NOW)]
    weights = sorted(v for (name, _), v in series.items() if name == "ldaphealth_server_weight")

    assert set(weights) <= {float(each.verdict.weight) for each in valid}
    assert bool(weights) == bool(valid)
    assert all(v >= 0 or isnan(v) for (name, _), v in series.items() if name.endswith("_total"))
    assert -inf not in [v for (name, _), v in series.items() if name.endswith("_count")]


def test_the_library_is_loaded_only_where_it_is_used() -> None:
    program = "import ldaphealth.agent.agent, ldaphealth.sinks, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )

    assert "prometheus_client" not in done.stdout.split()


@pytest.mark.parametrize("name", ["connect", "bind", "search", "compare", "write", "login"])
def test_the_buckets_reach_the_critical_thresholds(name: str) -> None:
    critical = [
        each.default.critical.end
        for each in fields(BUILT_IN[name].params)
        if isinstance(each.default, Thresholds) and each.name.endswith("seconds")
        if each.default.critical
    ]

    assert critical
    assert max(critical) <= 2.0 ** EXPONENTS[-1]
