"""`ldaphealth replay`: what it compares, what it says of differences, and its exit status."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from ldaphealth.agent import journal_segment
from ldaphealth.cli.commands import cli
from ldaphealth.store.journal_files import MAGIC, SegmentFile, read_frames, segments_by_cluster
from tests.agent.recorded import Recording
from tests.agent.simulated_site import Site

CONFIG = """\
agent: {{runtime_directory: "{directory}/run", state_directory: "{directory}"{more}}}
clusters: {{c: {{servers: {{s0: "ldap://127.0.0.1"}}}}}}
"""
SECONDS = 5400.0


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a state directory with the journal of a site with faults, and a configuration."""
    directory = tmp_path_factory.mktemp("state")
    configure(directory)
    site = Site(seed=4)
    recording = Recording(site, directory)
    while site.now < SECONDS:
        if site.random.random() < 0.01:
            site.break_one()
        site.step()
    recording.close()
    return directory


def configure(directory: Path, more: str = "") -> None:
    (directory / "ldaphealth.yaml").write_text(CONFIG.format(directory=directory, more=more))


def run(directory: Path, *arguments: str) -> Result:
    config = str(directory / "ldaphealth.yaml")
    return CliRunner().invoke(cli, ["replay", "--config", config, *arguments])


def documents(result: Result) -> Sequence[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def changed(directory: Path, source: Path) -> Path:
    """Return a copy of a journal in which one verdict has another digest, as of other rules."""
    configure(directory)
    first, *_ = segments_by_cluster(source)["c"]
    file = SegmentFile(directory, "c", first.began)
    left = 1
    for rows in read_frames(first.path):
        for row in rows:
            if left and row[0] == 1 and len(row) > 2 and row[2] and first.began:
                row[2][1] ^= 1
                left -= 1
            file.add(row)
        file.flush()
    file.close()
    return directory


def test_the_same_verdicts_are_status_0(recorded: Path) -> None:
    result = run(recorded)
    assert result.exit_code == 0, result.output
    assert result.output.startswith("c: ")
    assert "2026-01-01T00:00:" in result.output
    assert "all are the same" in result.output


def test_the_json_has_what_was_compared(recorded: Path) -> None:
    (document,) = documents(run(recorded, "--format", "json"))
    assert document["decisions"] > 1000
    assert document["verdicts"] >= document["decisions"] / 2
    assert (document["different"], document["differences"], document["problems"]) == (0, [], {})
    assert document["written_by"] == ["1"]


@pytest.mark.parametrize(
    ("arguments", "share"),
    [
        (("--since", "2026-01-01T01:00"), 1 / 3),
        (("--until", "2026-01-01T00:30:00Z"), 1 / 3),
        (("--since", "2026-01-01T01:30+01:00", "--until", "2026-01-01T01:00"), 1 / 3),
    ],
)
def test_a_period_is_a_part_of_it(recorded: Path, arguments: tuple[str, ...], share: float) -> None:
    (whole,) = documents(run(recorded, "--format", "json"))
    (part,) = documents(run(recorded, "--format", "json", *arguments))
    assert part["decisions"] / whole["decisions"] == pytest.approx(share, abs=0.1)
    assert not part["different"]


def test_one_server_is_a_part_of_it(recorded: Path) -> None:
    (whole,) = documents(run(recorded, "--format", "json"))
    (part,) = documents(run(recorded, "--format", "json", "--server", "c/s1"))
    assert 0 < part["verdicts"] < whole["verdicts"] / 3
    assert part["decisions"] == whole["decisions"]


def test_a_difference_is_status_1_and_says_when_and_of_what(tmp_path: Path, recorded: Path) -> None:
    result = run(changed(tmp_path, recorded))
    assert result.exit_code == 1
    first, line = result.output.splitlines()[0], result.output.splitlines()[-1]
    assert first.endswith(": 1 difference")
    assert line.strip().startswith("2026-01-01T00:00:0")
    assert "computed: the same, but for numbers or texts of its findings" in line
    (document,) = documents(run(tmp_path, "--format", "json"))
    (difference,) = document["differences"]
    assert difference["published"]["server"] == difference["server"]


def test_what_cannot_be_read_is_named_and_the_rest_is_compared(
    tmp_path: Path, recorded: Path
) -> None:
    configure(tmp_path)
    first, second, *_ = segments_by_cluster(recorded)["c"]
    content = first.path.read_bytes()
    middle = len(content) // 2
    (tmp_path / first.path.name).write_bytes(content[:middle] + b"\xff" + content[middle + 1 :])
    (tmp_path / second.path.name).write_bytes(second.path.read_bytes())
    (tmp_path / "c.20270101T000000Z.journal").write_bytes(MAGIC.replace(b"1", b"2"))
    result = run(tmp_path)
    assert result.exit_code == 0
    assert f"not read to its end: {tmp_path / first.path.name}: a wrong checksum" in result.output
    assert "written by another version of ldaphealth" in result.output


def test_rows_that_are_no_events_are_named(tmp_path: Path) -> None:
    configure(tmp_path)
    rows: list[list[Any]] = [[0, [], 0, 0], ["x"], [1], [15, {}], [99], [[]]]
    for number, row in enumerate(rows):
        file = SegmentFile(tmp_path, "c", 1e9 + number)
        file.add([journal_segment.HEADER, msgspec.to_builtins({"program": "1", "cluster": "c"})])
        file.add(row)
        file.flush()
        file.close()
    result = run(tmp_path)
    assert result.exit_code == 1  # of click; `main` makes it 3
    assert result.output.count("not read to its end") == 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--since", "2030-01-01"), "no decision to compare in that time"),
        (("--server", "d/s0"), "the journal has no cluster 'd'"),
        (("--server", "c/s9"), "the journal has no server 'c/s9' in that time"),
        (("--since", "yesterday"), "is not a moment"),
    ],
)
def test_what_is_not_there_is_an_error(
    recorded: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = run(recorded, *arguments)
    assert result.exit_code in (1, 2)
    assert message in result.output


def test_without_a_journal_it_says_where_it_would_be(tmp_path: Path) -> None:
    configure(tmp_path, ", journal: {days: 0}")
    result = run(tmp_path)
    assert result.exit_code
    assert f"there is no journal in {tmp_path}; agent.journal.days is 0" in result.output
