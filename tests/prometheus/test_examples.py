"""The examples: promtool takes them, and they speak of metrics, labels and codes that there are."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from ldaphealth.prometheus import METRICS, MetricType, exposition
from tests.prometheus.server import program
from tests.sinks.healthy import HEALTH, NOW, cluster, view
from tests.sinks.nasty import NASTY, nasty_snapshot

ROOT = Path(__file__).parents[2]
RULES = ROOT / "examples" / "prometheus" / "ldaphealth.rules.yml"
DASHBOARD = ROOT / "examples" / "grafana" / "ldaphealth.json"
SUFFIXES = {MetricType.HISTOGRAM: ("_bucket", "_sum", "_count")}
LABELS = {
    family.name + suffix: {*family.labels, "job", "instance"}
    for family in METRICS
    for suffix in SUFFIXES.get(family.kind, ("",))
} | {"up": {"job", "instance"}}
SELECTOR = re.compile(r"\b(up|(?:ldaphealth|probe)_\w+)(?:\{([^}]*)\})?")
QUOTED = re.compile(r'"(?:\\.|[^"\\])*"')
WORD = re.compile(r"\b(\w+)\s*(?:=~|!~|!=|=)")
GROUPED = re.compile(r"\b(?:by|on)\s*\(([^)]*)\)")


def promtool(*arguments: str | Path, stdin: bytes = b"") -> tuple[int, str]:
    done = subprocess.run(
        [program("promtool"), *arguments], input=stdin, capture_output=True, timeout=60, check=False
    )
    return done.returncode, (done.stdout + done.stderr).decode()


def rules() -> list[dict[str, str]]:
    found: list[dict[str, str]] = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    return found


def queries() -> Iterator[str]:
    dashboard = json.loads(DASHBOARD.read_text())
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    yield from (marking["expr"] for marking in dashboard["annotations"]["list"])
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield re.fullmatch(r"label_values\((.*), \w+\)", variable["definition"])[1]  # type: ignore[index]


EXPRESSIONS = [*(rule["expr"] for rule in rules()), *queries()]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_expression_speaks_of_metrics_and_labels_that_there_are(expression: str) -> None:
    found = SELECTOR.findall(expression)
    known = set().union(*(LABELS.get(name, set()) for name, _ in found)) | {"le"}
    grouped = [
        word.strip() for group in GROUPED.findall(expression) for word in group.split(",") if word
    ]

    assert [name for name, _ in found if name not in LABELS] == []
    assert found
    for name, labels in found:
        assert [w for w in WORD.findall(QUOTED.sub('""', labels)) if w not in LABELS[name]] == []
    assert [word for word in grouped if word not in known] == []


def test_the_test_above_would_see_a_typo() -> None:
    for wrong in ("ldaphealth_server_up == 0", 'up{jop="x"}', "sum by (clutser) (up)"):
        with pytest.raises(AssertionError):
            test_every_expression_speaks_of_metrics_and_labels_that_there_are(wrong)


def test_the_codes_in_the_rules_are_documented() -> None:
    codes = {"split", "isolated", "regressed"}
    documented = (ROOT / "docs" / "verdicts.md").read_text()

    assert codes == {
        code
        for rule in rules()
        for group in re.findall(r'code=~?"replication\W+([\w|]+)', rule["expr"])
        for code in group.split("|")
    }
    assert [code for code in codes if f"`{code}`" not in documented] == []


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_every_alert_is_tested_and_says_what_to_do(rule: dict[str, str]) -> None:
    tested = yaml.safe_load((Path(__file__).parent / "rules.test.yml").read_text())
    cases = [case for test in tested["tests"] for case in test["alert_rule_test"]]
    expected = [bool(case["exp_alerts"]) for case in cases if case["alertname"] == rule["alert"]]
    annotations = str(rule["annotations"])

    assert {True, False} == set(expected), "it must fire in one test, and be silent in another"
    assert "ldaphealth " in annotations or "olcDbMaxSize" in annotations or "log" in annotations


def test_promtool_takes_the_rules_and_they_do_what_their_tests_say() -> None:
    assert promtool("check", "rules", RULES)[0] == 0
    status, output = promtool("test", "rules", Path(__file__).parent / "rules.test.yml")
    assert status == 0, output


def test_promtool_takes_the_configuration() -> None:
    status, output = promtool("check", "config", RULES.with_name("prometheus.yml"))

    assert status == 0, output


@pytest.mark.parametrize("text", ["", *NASTY], ids=lambda name: name or "a healthy cluster")
def test_promtool_takes_the_metrics(text: str) -> None:
    """It has exit status 1 for what cannot be parsed, and 3 for a breach of the naming rules."""
    shown = view(*nasty_snapshot(NASTY[text], 0.5).verdicts) if text else cluster()
    status, output = promtool("check", "metrics", stdin=exposition(shown, HEALTH, NOW)[0])

    assert (status, output) == (0, "")


def test_promtool_would_say_it() -> None:
    assert promtool("check", "metrics", stdin=b"x_ms 1\n")[0] == 3
    assert promtool("check", "metrics", stdin=b'x{a="1} 1\n')[0] == 1


@pytest.mark.parametrize("script", ["metrics_reference.py", "grafana_dashboard.py"])
def test_what_is_made_of_the_table_is_up_to_date(script: str) -> None:
    command = [sys.executable, str(ROOT / "scripts" / script), "--check"]
    done = subprocess.run(command, timeout=60, check=False)

    assert done.returncode == 0, "run `make docs`"


def test_the_dashboard_shows_every_metric() -> None:
    shown = {name for expression in queries() for name, _ in SELECTOR.findall(expression)}

    assert [f.name for f in METRICS if not any(each.startswith(f.name) for each in shown)] == []


def test_the_panels_of_the_dashboard_do_not_overlap() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    cells = [
        (x, y)
        for each in panels
        for x in range(each["gridPos"]["x"], each["gridPos"]["x"] + each["gridPos"]["w"])
        for y in range(each["gridPos"]["y"], each["gridPos"]["y"] + each["gridPos"]["h"])
    ]

    assert len(cells) == len(set(cells))
    assert len({each["id"] for each in panels}) == len(panels)


def test_panels_have_a_job_and_titles_for_people() -> None:
    drawn = json.loads(DASHBOARD.read_text())["panels"]
    panels = [each for each in drawn if "targets" in each]
    titles = [each["title"] for each in panels]

    assert len(set(titles)) == len(titles)
    assert not [each for each in titles if "_" in each or each.endswith((" seconds", " bytes"))]
    for expression in (each["targets"][0]["expr"] for each in panels):
        assert "probe_" in expression or 'job=~"$job"' in expression
