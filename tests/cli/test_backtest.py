"""`ldaphealth backtest`: what it shows beside what was decided, and its errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ldaphealth.cli.commands import cli
from tests.agent.recorded import Recording
from tests.agent.simulated_site import Fault, Site

SECONDS = 5400.0
CONFIG = """\
agent: {{runtime_directory: "{directory}/run", state_directory: "{directory}"}}
clusters:
  c:
    interval_seconds: 10
    min_in_service: 3
    servers: {{{servers}}}
    checks:
      search: {{seconds: {{warning: "{warning}", critical: "{critical}"}}}}
      session: {{effect: watch}}
      compare: {{dn: "cn=x", attribute: cn, value: x}}
"""
INCIDENTS = """\
incidents:
- {target: c/s1, from: 2026-01-01T00:30:00Z, to: 2026-01-01T00:36:00Z, note: slow logins}
- {target: c/s2, from: 2026-01-01T01:00:00Z, to: 2026-01-01T01:05:00Z, note: nothing was seen}
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the state directory of a site on which a server was slow for five minutes."""
    place = tmp_path_factory.mktemp("state")
    site = Site(seed=5)
    recording = Recording(site, place, 600.0)
    while site.now < SECONDS:
        if 1800.0 < site.now < 2100.0:
            site.faults["c/s1"] = Fault.SLOW, 2100.0
        site.step()
    recording.close()
    for name, warning, critical in (("strict", "0.5", "1"), ("lenient", "3", "4")):
        servers = ", ".join(f's{n}: "ldap://127.0.0.{n + 1}"' for n in range(6))
        text = CONFIG.format(directory=place, servers=servers, warning=warning, critical=critical)
        (place / f"{name}.yaml").write_text(text)
    (place / "mine.yaml").write_text(INCIDENTS)
    return place


def run(directory: Path, *arguments: str) -> Result:
    configs = [f"--config={directory / name}.yaml" for name in ("strict", "lenient")]
    return CliRunner().invoke(cli, ["backtest", "--since", "2026-01-01", *configs, *arguments])


def sides(result: Result) -> dict[str, dict[str, Any]]:
    (document,) = json.loads(result.stdout)
    return {each["settings"]: each for each in document["sides"]}


def test_sides_are_measured_by_incidents(directory: Path) -> None:
    result = run(directory, "--incidents", str(directory / "mine.yaml"), "--format", "json")
    assert result.exit_code == 0, result.output
    found = sides(result)
    assert [*found] == ["as it was", "strict", "lenient"]
    strict, lenient = (found[name]["out_of_service"] for name in ("strict", "lenient"))
    assert strict["outages"] == 1
    assert strict["causes"]["search.slow"] == 1
    assert strict["score"]["found"] == 1
    assert strict["score"]["missed"] == 1
    assert strict["score"]["sensitivity"]["ratio"] == 0.5
    assert strict["score"]["predictive_value"]["ratio"] == 1.0
    assert strict["score"]["specificity"]["ratio"] == 1.0
    assert 0 < strict["score"]["found_after_seconds"] < 60
    assert lenient["outages"] == 0
    assert lenient["score"]["sensitivity"]["ratio"] == 0.0
    assert lenient["score"]["found_after_seconds"] is None


def test_the_text_has_a_column_for_each_side_and_a_plot(directory: Path) -> None:
    result = run(directory, "--incidents", str(directory / "mine.yaml"))
    assert result.exit_code == 0, result.output
    head, *lines = result.stdout.splitlines()
    assert head.startswith("c: 2026-01-01T00:00:0")
    assert lines[0].startswith("6 servers, 2 incidents; 9 segments, 6 of them calm")
    assert any(line.split() == ["removals", "1", "1", "0"] for line in lines)
    assert any(line.startswith("  sensitivity") and "50 (9 to 91)" in line for line in lines)
    (plotted,) = (line for line in lines if "strict " in line and "·" in line)
    assert "█" in plotted


def test_what_cannot_be_tried_is_named(directory: Path) -> None:
    found = sides(run(directory, "--format", "json"))
    assert found["as it was"]["left_out"] == []
    assert any("not observed at that time: check" in each for each in found["strict"]["left_out"])
    text = run(directory).stdout
    assert "no incident is marked in this time" in text


def test_a_period_is_a_part_of_it(directory: Path) -> None:
    part = run(directory, "--until", "2026-01-01T00:20", "--format", "json")
    assert sides(part)["strict"]["out_of_service"]["outages"] == 0
    (document,) = json.loads(part.stdout)
    assert document["until"] <= "2026-01-01T00:20:00Z"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("d",), "the journal has no cluster 'd'"),
        (("--since", "2030-01-01"), "has nothing of that time"),
        (("--journal", "/nonexistent"), "there is no journal in /nonexistent"),
        (("--config", "/nonexistent.yaml"), "/nonexistent.yaml: "),
        (("--incidents", "/nonexistent.yaml"), "/nonexistent.yaml: "),
    ],
)
def test_what_is_not_there_is_an_error(
    directory: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = run(directory, *arguments)
    assert result.exit_code
    assert message in result.output


def test_thresholds_are_suggested_with_their_price(directory: Path) -> None:
    arguments = ("--suggest", "search.seconds", "--incidents", str(directory / "mine.yaml"))
    (document,) = json.loads(run(directory, *arguments, "--format", "json").stdout)
    prices = {
        each["critical_above"]: (
            each["out_of_service"]["outages"],
            each["critical"]["score"]["found"],
        )
        for each in document["candidates"]
    }
    assert prices["0.25"] == (1, 1)  # of `strict`, the first file
    assert prices["1.5"] == (1, 1)
    assert prices["3"][0] == 0
    assert [each["is_now"] for each in document["candidates"]].count(True) == 1
    assert len(document["candidates"]) == 8

    text = run(directory, *arguments).stdout
    assert "1 (now)" in text
    sentence = " ".join(text[text.index("suggested: ") :].split())
    assert sentence.endswith("0 removals outside of incidents, 1 of 2 incidents found")
    without = " ".join(run(directory, *arguments[:2]).stdout.split())
    assert "0 removals; mark incidents to see what each one finds" in without


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("serach.seconds", "has no check 'serach'; did you mean search?"),
        ("search.second", "search has no thresholds 'second'; did you mean seconds?"),
        ("search.entries", "search.entries has no largest number"),
        ("search", "search has no thresholds ''"),
    ],
)
def test_what_has_no_thresholds_cannot_be_suggested(
    directory: Path, setting: str, message: str
) -> None:
    result = run(directory, "--suggest", setting)
    assert result.exit_code == 2
    assert message in result.output
