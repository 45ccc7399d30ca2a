"""The Grafana dashboard, made of the table of metrics; the same for every configuration."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from ldaphealth.generate.site import Site
from ldaphealth.prometheus import METRICS, Family, MetricType

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
UNITS = {"seconds": "s", "bytes": "bytes", "ratio": "percentunit", "": "short"}
COLUMNS, WIDTH, HEIGHT = 24, 8, 7  # of Grafana's grid
RATE = "[$__rate_interval]"
JOB = 'job=~"$job"'
SERVERS = f'{JOB}, cluster=~"$cluster", server=~"$server"'
# Words of metrics' names that are written otherwise in a title; a unit is on the axis.
WORDS = {"csn": "CSN", "tls": "TLS", "ldap": "LDAP", "ssf": "SSF"}
UNIT_ENDS = ("_seconds", "_bytes", "_ratio", "_info")


class Panel(Struct, frozen=True, kw_only=True):
    """One panel; `kind` is the name of a panel plugin of Grafana."""

    title: str
    expression: str
    legend: str
    unit: str = "short"
    kind: str = "timeseries"
    about: str = ""


# The overview; all other panels are generated from the table.
OVERVIEW = (
    Panel(
        title="Servers out of service",
        expression=f"count(ldaphealth_server_in_service{{{SERVERS}}} == 0) or vector(0)",
        legend="",
        kind="stat",
    ),
    Panel(
        title="Held by a rule of the guard",
        expression=f"count(ldaphealth_server_held{{{SERVERS}}} == 1) or vector(0)",
        legend="",
        kind="stat",
    ),
    Panel(
        title="Without a fresh verdict",
        expression=f"count(ldaphealth_server_verdict_valid{{{SERVERS}}} == 0) or vector(0)",
        legend="",
        kind="stat",
    ),
    Panel(
        title="In service",
        expression=f"ldaphealth_server_in_service{{{SERVERS}}}",
        legend="{{cluster}}/{{server}}",
        kind="state-timeline",
    ),
    Panel(
        title="Reasons",
        expression=f"ldaphealth_reason_severity{{{SERVERS}}}",
        legend="{{cluster}}/{{server}} {{code}}",
        kind="state-timeline",
    ),
    Panel(
        title="Operations, 90th percentile",
        expression=(
            "histogram_quantile(0.9, sum by (le, operation) "
            f"(rate(ldaphealth_operation_duration_seconds_bucket{{{SERVERS}}}{RATE})))"
        ),
        legend="{{operation}}",
        unit="s",
    ),
)


class Marking(Struct, frozen=True, kw_only=True):
    """What is marked in all panels: the times in which an expression has a value of 1."""

    name: str
    expression: str
    text: str
    color: str


# Grafana joins the samples that follow each other at `MARKING_STEP` to one time.
MARKING_STEP = "15s"
MARKINGS = (
    Marking(
        name="Out of service",
        expression=f"(1 - ldaphealth_server_in_service{{{SERVERS}}}) == 1",
        text="{{cluster}}/{{server}} out of service",
        color="red",
    ),
    Marking(
        name="Overrides",
        expression=f'ldaphealth_server_held{{{SERVERS}, held_by="override"}} == 1',
        text="{{cluster}}/{{server}} has an override by an operator",
        color="blue",
    ),
)
SECTIONS = (
    (
        "Servers",
        ("ldaphealth_server_", "ldaphealth_check_", "ldaphealth_reason_", "ldaphealth_session_"),
    ),
    ("Shadows, which decide nothing", ("ldaphealth_shadow_",)),
    ("Operations of the agent's sessions", ("ldaphealth_operation_",)),
    ("Replication", ("ldaphealth_replication_", "ldaphealth_consumer_")),
    (
        "slapd",
        (
            "ldaphealth_slapd_",
            "ldaphealth_forecast_",
            "ldaphealth_certificate_",
            "ldaphealth_client_",
            "ldaphealth_password_",
        ),
    ),
    ("Operations of clients", ("ldaphealth_traffic_", "ldaphealth_workload_")),
    (
        "Agents",
        ("ldaphealth_agent_", "ldaphealth_config_", "ldaphealth_build_", "ldaphealth_series_"),
    ),
    ("Probes on demand", ("probe_",)),
)


def grafana(_: Site) -> str:
    """Return the dashboard as a file to import."""
    return dashboard_text()


def dashboard_text() -> str:
    """Return the dashboard as JSON; scripts/grafana_dashboard.py writes it to examples/."""
    return json.dumps(dashboard(), indent=1) + "\n"


def dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana imports it."""
    sections = [("Overview", OVERVIEW)] + [
        (title, tuple(_panel(each) for each in METRICS if each.name.startswith(prefixes)))
        for title, prefixes in SECTIONS
    ]
    return {
        "uid": "ldaphealth",
        "title": "LDAP servers (ldaphealth)",
        "tags": ["ldap", "ldaphealth"],
        "schemaVersion": 37,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [*_variables()]},
        "annotations": {"list": [_marked(each) for each in MARKINGS]},
        "panels": [*_placed(sections)],
    }


def _variables() -> Iterator[dict[str, Any]]:
    yield {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
    }
    for name, query in (
        ("job", "label_values(ldaphealth_server_verdict_valid, job)"),
        ("cluster", f"label_values(ldaphealth_server_verdict_valid{{{JOB}}}, cluster)"),
        (
            "server",
            f'label_values(ldaphealth_server_verdict_valid{{{JOB}, cluster=~"$cluster"}}, server)',
        ),
    ):
        yield {
            "name": name,
            "label": name.capitalize(),
            "type": "query",
            "datasource": SOURCE,
            "query": {"query": query, "refId": name},
            "definition": query,
            "refresh": 2,
            "sort": 3,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": ["All"], "value": ["$__all"]},
        }


def _marked(marking: Marking) -> dict[str, Any]:
    return {
        "name": marking.name,
        "datasource": SOURCE,
        "enable": True,
        "iconColor": marking.color,
        "expr": marking.expression,
        "titleFormat": marking.text,
        "tagKeys": "cluster,server",
        "step": MARKING_STEP,
    }


def _panel(family: Family[Any]) -> Panel:
    of_server = "server" in family.labels
    agent = "" if family.name.startswith("probe_") else f"{{{JOB}}}"  # probes are another job
    selector = f"{{{SERVERS}}}" if of_server else agent
    own = [each for each in family.labels if each not in ("cluster", "server")]
    names = ["{{cluster}}/{{server}}"] if of_server else ["{{instance}}"]
    legend = " ".join([*names, *(f"{{{{{each}}}}}" for each in own)])
    title = _title(family.name) + (" share" if family.unit == "ratio" else "")
    if family.kind is MetricType.HISTOGRAM:
        title += ", mean"
        expression = (
            f"rate({family.name}_sum{selector}{RATE}) / rate({family.name}_count{selector}{RATE})"
        )
    elif family.kind is MetricType.COUNTER:
        title += f", {family.unit} per second" if family.unit else " per second"
        expression = f"rate({family.name}{selector}{RATE})"
    elif family.name.endswith("_expiry_timestamp_seconds"):
        title += " in"
        expression = f"{family.name}{selector} - time()"
    elif family.name.endswith("_timestamp_seconds"):
        title += ", time since"
        expression = f"time() - {family.name}{selector}"
    else:
        expression = family.name + selector
    return Panel(
        title=title,
        expression=expression,
        legend=legend,
        unit=UNITS[family.unit],
        about=family.help,
    )


def _title(name: str) -> str:
    """Return the name of a metric as people read it, without its unit."""
    plain = name.removeprefix("ldaphealth_").removesuffix("_total")
    for end in UNIT_ENDS:
        plain = plain.removesuffix(end)
    words = [WORDS.get(each, each) for each in plain.removesuffix("_timestamp").split("_")]
    text = " ".join(words)
    return text[:1].upper() + text[1:]


def _placed(sections: Iterable[tuple[str, tuple[Panel, ...]]]) -> Iterator[dict[str, Any]]:
    """Yield a heading for each section, followed by its panels, three in a line."""
    number, top = 0, 0
    for title, panels in sections:
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": title,
            "collapsed": False,
            "panels": [],
            "gridPos": {"x": 0, "y": top, "w": COLUMNS, "h": 1},
        }
        top += 1
        for place, panel in enumerate(panels):
            number += 1
            x = place * WIDTH % COLUMNS
            yield _drawn(panel, number, x, top)
            if x + WIDTH == COLUMNS or place == len(panels) - 1:
                top += HEIGHT


def _drawn(panel: Panel, number: int, x: int, y: int) -> dict[str, Any]:
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": SOURCE,
        "gridPos": {"x": x, "y": y, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {
                "refId": "A",
                "datasource": SOURCE,
                "expr": panel.expression,
                "legendFormat": panel.legend,
            }
        ],
    }
