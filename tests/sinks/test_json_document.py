"""The document of every snapshot matches its schema and docs/json.md."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ldaphealth.model import CheckEffect, Snapshot, State, Trust
from ldaphealth.sinks import SinkOptions
from ldaphealth.sinks.json_document import VERSION, render, snapshot_of
from tests.sinks.nasty import NASTY, nasty_snapshot
from tests.sinks.snapshots import HELD_BY_FLOOR, ONE_OUT, SNAPSHOTS

DOCS = Path(__file__).parents[2] / "docs"
SCHEMA: dict[str, Any] = json.loads((DOCS / "snapshot.schema.json").read_text())
PAGE = (DOCS / "json.md").read_text()

EVERY = SNAPSHOTS | {name: nasty_snapshot(text) for name, text in NASTY.items()}


def document(snapshot: Snapshot) -> Any:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(render(snapshot, SinkOptions()).text, parse_constant=refuse)


def strict(schema: Any) -> Any:
    """Refuse keys that the schema does not know.

    To us they are a mistake of today; a reader's copy of the schema must let a later version add
    one.
    """
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {"additionalProperties": False} if "properties" in schema else {}
    return {key: strict(each) for key, each in schema.items()} | closed


def mistakes(value: Any) -> list[str]:
    validator = Draft202012Validator(strict(SCHEMA))
    return [error.message for error in validator.iter_errors(value)]


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        found: dict[str, Any] = SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")]
        return found
    return schema


def schema_keys(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    schema = resolved(schema)
    for key, each in schema.get("properties", {}).items():
        yield f"{path}{key}"
        yield from schema_keys(each, f"{path}{key}.")
    if "items" in schema:
        yield from schema_keys(schema["items"], f"{path.removesuffix('.')}[].")


def document_keys(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield f"{path}{key}"
            yield from document_keys(each, f"{path}{key}.")
    elif isinstance(value, list):
        for each in value:
            yield from document_keys(each, f"{path.removesuffix('.')}[].")


@pytest.mark.parametrize("snapshot", EVERY.values(), ids=EVERY)
def test_every_document_is_what_the_schema_says(snapshot: Snapshot) -> None:
    assert mistakes(document(snapshot)) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param(["version"], 2, id="another version"),
        pytest.param(["taken_at"], "2026-11-23 01:33", id="a time that is not RFC 3339"),
        pytest.param(["verdicts", 0, "state"], "FINE", id="a state that does not exist"),
        pytest.param(["verdicts", 0, "weight"], -1, id="a negative weight"),
        pytest.param(["verdicts", 0, "in_service"], 1, id="a number for a boolean"),
        pytest.param(["verdicts", 0, "findings", 0, "extra"], "x", id="a key that is not written"),
    ],
)
def test_the_schema_refuses(path: list[str | int], value: object) -> None:
    whole = document(ONE_OUT)
    part = whole
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value

    assert len(mistakes(whole)) == 1


def test_document_schema_and_page_know_the_same_keys() -> None:
    written = set(document_keys(document(HELD_BY_FLOOR)))
    explained = set(re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE))

    assert set(schema_keys(SCHEMA)) == written
    assert explained == written


def test_every_key_of_the_schema_has_a_description_and_is_required() -> None:
    for each in (part for part in [SCHEMA, *SCHEMA["$defs"].values()] if "properties" in part):
        assert set(each["required"]) == set(each["properties"])
        assert all("description" in resolved(part) for part in each["properties"].values())


@pytest.mark.parametrize(
    ("definition", "key", "values"),
    [
        pytest.param("verdict", "state", [s.name for s in State], id="states"),
        pytest.param("reason", "effect", [e.value for e in CheckEffect], id="effects"),
        pytest.param("finding", "trust", [t.value for t in Trust], id="trust"),
    ],
)
def test_the_schema_lists_the_words_of_the_model(
    definition: str, key: str, values: list[str]
) -> None:
    assert resolved(SCHEMA["$defs"][definition]["properties"][key])["enum"] == values


def test_the_example_on_the_page_is_a_real_document() -> None:
    example = PAGE.partition("```json\n")[2].partition("```")[0]

    assert json.loads(example) == document(Snapshot(ONE_OUT.taken_at, ONE_OUT.verdicts[2:3]))


def test_the_version_is_the_one_of_the_schema() -> None:
    assert SCHEMA["properties"]["version"]["const"] == VERSION


def test_the_time_is_rfc_3339_in_utc() -> None:
    assert document(ONE_OUT)["taken_at"] == "2026-11-23T02:13:20.250Z"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_json_does_not_know_becomes_null(value: float) -> None:
    metrics = document(nasty_snapshot("x", value))["verdicts"][0]["findings"][0]["metrics"]

    assert metrics[0]["value"] is None
    assert metrics[3]["value"] == 1e22


@pytest.mark.parametrize(("name", "status"), [("healthy", 0), ("one_out", 1), ("unknown", 0)])
def test_the_exit_status_is_0_if_every_server_is_in_service(name: str, status: int) -> None:
    assert render(SNAPSHOTS[name], SinkOptions()).exit_status == status


@pytest.mark.parametrize("snapshot", EVERY.values(), ids=EVERY)
def test_a_document_is_read_back(snapshot: Snapshot) -> None:
    written = document(snapshot)

    assert document(snapshot_of(written)) == written


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_the_way_back_loses_nothing(name: str) -> None:
    assert snapshot_of(document(SNAPSHOTS[name])) == SNAPSHOTS[name]


def older(written: Any) -> Any:
    """Return the document as a version wrote it that knew neither `plain` nor `removes`."""
    if isinstance(written, list):
        return [older(each) for each in written]
    if isinstance(written, dict):
        return {k: older(each) for k, each in written.items() if k not in ("plain", "removes")}
    return written


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_an_older_document_is_read_as_if_it_had_all_keys(name: str) -> None:
    assert snapshot_of(older(document(SNAPSHOTS[name]))) == SNAPSHOTS[name]


@pytest.mark.parametrize(
    ("state", "effect", "trust", "removes"),
    [
        ("CRITICAL", "out", "hard", True),
        ("CRITICAL", "out", "soft", True),
        ("CRITICAL", "out", "told", False),
        ("CRITICAL", "out", "ours", False),
        ("CRITICAL", "out", None, True),  # without a finding
        ("CRITICAL", "weight", "soft", False),
        ("CRITICAL", "watch", "hard", False),
        ("WARNING", "out", "hard", False),
        ("UNKNOWN", "out", "ours", False),
    ],
)
def test_what_an_older_reason_removes_follows_from_its_finding(
    state: str, effect: str, trust: str | None, removes: bool
) -> None:
    written = older(document(Snapshot(ONE_OUT.taken_at, ONE_OUT.verdicts[2:3])))
    (verdict,) = written["verdicts"]
    verdict["reasons"][0] |= {"state": state, "effect": effect}
    for finding in verdict["findings"]:
        finding |= {"state": state, "trust": trust or finding["trust"]}
    verdict["findings"] = verdict["findings"] if trust else []

    (read,) = snapshot_of(written).verdicts

    assert ([each.removes for each in read.reasons], read.plain) == ([removes], not removes)


@pytest.mark.parametrize("plain", [True, False])
def test_what_a_document_says_itself_is_not_reckoned_again(plain: bool) -> None:
    written = document(ONE_OUT)
    written["verdicts"][2]["plain"] = plain
    written["verdicts"][2]["reasons"][0]["removes"] = not plain

    read = snapshot_of(written).verdicts[2]

    assert (read.plain, read.reasons[0].removes) == (plain, not plain)


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param([], id="no object"),
        pytest.param({}, id="no verdicts"),
        pytest.param({"verdicts": [{}], "taken_at": "2026-11-23T02:13:20.250Z"}, id="no verdict"),
        pytest.param({"verdicts": [], "taken_at": "yesterday"}, id="no time"),
        pytest.param({"verdicts": [3], "taken_at": "2026-11-23T02:13:20.250Z"}, id="a number"),
    ],
)
def test_what_is_no_document_is_refused(broken: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        snapshot_of(broken)
