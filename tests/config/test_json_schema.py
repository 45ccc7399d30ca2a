"""The JSON Schema accepts the same files as `load`, and describes every key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from ldaphealth.checks import BUILT_IN
from ldaphealth.config.json_schema import schema

ROOT = Path(__file__).parents[2]
SCHEMA = schema(BUILT_IN.values())
EXAMPLES = [ROOT / "examples" / "ldaphealth.yaml", ROOT / "docker" / "ldaphealth.yaml"]


def mistakes(text: str) -> list[str]:
    validator = Draft202012Validator(SCHEMA)
    return [error.message for error in validator.iter_errors(yaml.safe_load(text))]


def descriptions(part: Any, path: str = "") -> Iterator[tuple[str, bool]]:
    for key, each in part.items():
        if key in ("properties", "$defs"):
            for name, described in each.items():
                yield f"{path}.{name}", "description" in described or "anyOf" in described
        if isinstance(each, dict):
            yield from descriptions(each, f"{path}.{key}")


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_it_takes_the_examples(path: Path) -> None:
    assert mistakes(path.read_text()) == []


@pytest.mark.parametrize(
    "wrong",
    [
        "{}",
        "clusters: {}",
        "clusters: {c: {servers: {}}}",
        "clusters: {c: {servers: {a b: 'ldap://h'}}}",
        "clusters: {c: {servers: {a: {uri: 'ldap://h', wait: 1}}}}",
        "clusters: {c: {servers: {a: 'ldap://h'}, checks: {search: {scop: one}}}}",
        "clusters: {c: {servers: {a: 'ldap://h'}, checks: {search: {effect: kill}}}}",
        "clusters: {c: {servers: {a: 'ldap://h'}, deadline_seconds: 0}}",
        "clusters: {c: {servers: {a: ''}, checks: {replication: {retired_server_ids: [4096]}}}}",
    ],
)
def test_it_refuses_what_load_refuses(wrong: str) -> None:
    assert mistakes(wrong)


def test_server_ids_are_digits_with_or_without_quotes() -> None:
    checks = "{replication: {retired_server_ids: [16, '010', 00a, 0x1f]}}"

    assert mistakes(f"clusters: {{c: {{servers: {{a: 'ldap://h'}}, checks: {checks}}}}}") == []


def test_every_key_is_explained() -> None:
    assert [path for path, explained in descriptions(SCHEMA) if not explained] == []
