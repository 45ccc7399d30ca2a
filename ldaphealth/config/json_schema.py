"""The configuration file as a JSON Schema, so that editors complete and check it.

`ldaphealth config schema` prints it; docs/configuration.md is made from it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from msgspec import json
from msgspec.structs import fields

from ldaphealth.check import AnyCheck
from ldaphealth.config.shape import File
from ldaphealth.judging.thresholds import Range
from ldaphealth.model import CheckEffect

DIALECT = "https://json-schema.org/draft/2020-12/schema"
RANGE = {
    "title": "Range",
    "type": ["string", "number"],
    "description": 'a Nagios range: 2 is at most 2, "1:" at least 1, "@1:5" not from 1 to 5',
}
RANGE_KEYS = {each.name for each in fields(Range)}


def schema(checks: Iterable[AnyCheck]) -> dict[str, Any]:
    """Return the schema with the settings of these checks; those of others are not checked."""
    checks = list(checks)
    kinds = [File, CheckEffect, *(check.params for check in checks)]
    (file, effect, *params), definitions = json.schema_components(
        kinds, ref_template="#/$defs/{name}"
    )
    for definition in definitions.values():
        if "properties" in definition:
            definition["additionalProperties"] = False
    definitions["Range"] = RANGE
    settings = {
        check.name: _settings(definitions.pop(_name(reference)), effect, check)
        for check, reference in zip(checks, params, strict=True)
    }
    definitions["Cluster"]["properties"]["checks"] |= {"properties": settings}
    whole = {"$schema": DIALECT, "title": "ldaphealth.yaml", **file, "$defs": definitions}
    written: dict[str, Any] = _as_written(whole)
    return written


def _settings(
    definition: dict[str, Any], effect: dict[str, Any], check: AnyCheck
) -> dict[str, Any]:
    """Return the schema of one check: its settings and its effect, or a word that it is off."""
    properties = definition["properties"] | {
        "effect": effect
        | {"default": check.effect.value, "description": "what it may do to the verdict"}
    }
    about = sys.modules[check.params.__module__].__doc__ or ""
    described = definition | {
        "title": check.name,
        "description": about.partition("\n")[0],
        "properties": properties,
    }
    return {"anyOf": [described, {"enum": ["off", False, True, None]}]}


def _name(reference: dict[str, Any]) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def _as_written(value: Any) -> Any:
    """Return the same with ranges as people write them; JSON knows no infinity."""
    if isinstance(value, list):
        return [_as_written(each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == RANGE_KEYS:
        return str(Range(**value))
    return {key: _as_written(each) for key, each in value.items()}
