"""The JSON Schema of the configuration file, for editors.

`ldaphealth config schema` prints it. docs/configuration.md is generated from it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any, get_args

from msgspec import NODEFAULT, Struct, json, to_builtins
from msgspec.structs import fields

from ldaphealth.check import AnyCheck
from ldaphealth.config.named_checks import why_refused
from ldaphealth.config.shadow import EFFECT, SETTLE, SETTLE_KEY, judged_settings
from ldaphealth.config.shape import CheckEntry, ClusterEntry, File, ServerEntry, ShadowEntry
from ldaphealth.config.text_form import TEXT_FORMS
from ldaphealth.settings import Settle

DIALECT = "https://json-schema.org/draft/2020-12/schema"
REFERENCE = "#/$defs/"
CHECKS = f"{REFERENCE}{ClusterEntry.__name__}/properties/checks/properties"
# Structs that are written in the file as one text, by the keys that msgspec gives them.
WRITTEN_AS_TEXT = {
    frozenset(kind.__struct_fields__): kind
    for kind in TEXT_FORMS
    if isinstance(kind, type) and issubclass(kind, Struct)
}
INLINE = {
    f"{REFERENCE}{kind.__name__}": form.schema
    for kind, form in TEXT_FORMS.items()
    if "title" not in form.schema
}


def schema(checks: Iterable[AnyCheck]) -> dict[str, Any]:
    """Return the schema with the settings of these checks. Others are accepted without a check."""
    checks = list(checks)
    kinds = [File, CheckEntry, *(check.params for check in checks)]
    (file, common, *params), definitions = json.schema_components(
        kinds, ref_template=REFERENCE + "{name}", schema_hook=_text_schema
    )
    for kind in {*_structs([File])}:
        _add_factory_defaults(definitions[kind.__name__], kind)
    for definition in definitions.values():
        if "properties" in definition:
            definition["additionalProperties"] = False
    for kind, form in TEXT_FORMS.items():
        if definitions.pop(kind.__name__, None) and "title" in form.schema:
            definitions[kind.__name__] = dict(form.schema)
    common = definitions.pop(_name(common))["properties"]
    settings = {
        check.name: _settings(definitions.pop(_name(reference)), common, check)
        for check, reference in zip(checks, params, strict=True)
    }
    definitions[ClusterEntry.__name__]["properties"]["checks"] |= {
        "properties": settings,
        "additionalProperties": {"allOf": [*_named(checks)]},
    }
    own = {check.name: _own_settings(settings[check.name], check) for check in checks}
    definitions[ServerEntry.__name__]["properties"]["checks"] |= {"properties": own}
    definitions[ShadowEntry.__name__]["properties"]["checks"] |= {
        "properties": {
            check.name: _shadow_settings(settings[check.name], check) for check in checks
        },
        "additionalProperties": {"type": "object"},
    }
    of_settle = definitions[Settle.__name__]["properties"]
    definitions[ShadowEntry.__name__]["properties"][SETTLE_KEY] |= {
        "properties": {key: _without_default(of_settle[key]) for key in SETTLE},
        "additionalProperties": False,
    }
    whole = {"$schema": DIALECT, "title": "ldaphealth.yaml", **file, "$defs": definitions}
    written: dict[str, Any] = _as_written(whole)
    return written


def _settings(
    definition: dict[str, Any], common: dict[str, Any], check: AnyCheck
) -> dict[str, Any]:
    """Return the schema of one check: its settings and the common ones, or one for on or off."""
    own = definition["properties"]
    properties = own | {
        key: described
        for key, described in common.items()
        if key not in own and not why_refused(check, key)
    }
    properties["check"] = _without_default(common["check"]) | {"const": check.name}
    properties["effect"] = common["effect"] | {"default": check.effect.value}
    about = sys.modules[check.params.__module__].__doc__ or ""
    described = definition | {
        "title": check.name,
        "description": about.partition("\n")[0],
        "properties": properties,
    }
    if check.observe_as is not None:
        described["required"] = [*described["required"], "credentials"]
    return {"anyOf": [described, {"enum": ["off", False, True, None]}]}


def _named(checks: Iterable[AnyCheck]) -> Iterator[dict[str, Any]]:
    """Yield the schemas of checks with names of their own, by the kind that they name."""
    for check in checks:
        if not check.why_single:
            of_kind = f"{CHECKS}/{check.name}"
            named = {"properties": {"check": {"const": check.name}}, "required": ["check"]}
            yield {"if": {"type": "object", **named}, "then": {"$ref": of_kind}}


def _own_settings(of_cluster: dict[str, Any], check: AnyCheck) -> dict[str, Any]:
    """Return the schema of the settings of a check that a server may have of its own."""
    if not check.own_settings:
        return {"not": {}, "description": "it has settings of the whole cluster only"}
    described = of_cluster["anyOf"][0]
    properties = described["properties"]
    return {
        "title": f"{check.name} of a server",
        "description": described["description"],
        "type": "object",
        "properties": {key: _without_default(properties[key]) for key in check.own_settings},
        "additionalProperties": False,
    }


def _shadow_settings(of_cluster: dict[str, Any], check: AnyCheck) -> dict[str, Any]:
    """Return the schema of the settings of a check that a shadow of the cluster may have."""
    described = of_cluster["anyOf"][0]
    properties = described["properties"]
    return {
        "title": f"{check.name} of a shadow",
        "description": described["description"],
        "type": "object",
        "properties": {
            key: _without_default(properties[key]) for key in (EFFECT, *judged_settings(check))
        },
        "additionalProperties": False,
    }


def _without_default(described: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a setting whose default is that of the cluster."""
    return {key: each for key, each in described.items() if key != "default"}


def _text_schema(kind: type) -> dict[str, Any]:
    """Return the schema of a type that is written as text; NotImplementedError for other types."""
    if kind not in TEXT_FORMS:
        raise NotImplementedError
    return dict(TEXT_FORMS[kind].schema)


def _structs(kinds: Iterable[Any]) -> Iterator[type[Struct]]:
    """Yield the Structs in these types, at any depth."""
    for kind in kinds:
        if isinstance(kind, type) and issubclass(kind, Struct):
            yield kind
            yield from _structs(each.type for each in fields(kind))
        else:
            yield from _structs(get_args(kind))


def _add_factory_defaults(definition: dict[str, Any], kind: type[Struct]) -> None:
    """Add the defaults that a function returns; msgspec leaves them out."""
    for each in fields(kind):
        if each.default_factory is not NODEFAULT:
            default = to_builtins(each.default_factory(), str_keys=True, enc_hook=str)
            definition["properties"][each.encode_name].setdefault("default", default)


def _name(reference: dict[str, Any]) -> str:
    return str(reference["$ref"]).removeprefix(REFERENCE)


def _as_written(value: Any) -> Any:
    """Return the schema with ranges and similar values as text; JSON has no infinity."""
    if isinstance(value, list):
        return [_as_written(each) for each in value]
    if not isinstance(value, dict):
        return value
    if frozenset(value) in WRITTEN_AS_TEXT:
        return str(WRITTEN_AS_TEXT[frozenset(value)](**value))
    plain = INLINE.get(str(value.get("$ref")), {})
    return {
        key: _as_written(each)
        for key, each in {**value, **plain}.items()
        if not (plain and key == "$ref")
    }
