"""Write the tables of docs/configuration.md from the schema of the file; `make docs` runs it.

With --check it writes nothing and fails if the document is out of date.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from written_document import below_mark, write_or_check

from ldaphealth.checks import BUILT_IN
from ldaphealth.config.json_schema import schema

DOCUMENT = Path(__file__).parents[1] / "docs" / "configuration.md"
SECTIONS = {
    "File": "The file",
    "CredentialsEntry": "`credentials.NAME`",
    "ClusterEntry": "`clusters.NAME`",
    "ServerEntry": "`clusters.NAME.servers.NAME`",
    "Tls": "`tls`, of a cluster or a server",
    "Settle": "`clusters.NAME.settle`",
    "ShadowEntry": "`clusters.NAME.shadow`",
    "AgentSettings": "`agent`",
    "HistorySettings": "`agent.history`",
    "HttpSettings": "`agent.http`",
    "HaproxySettings": "`agent.haproxy`",
}
OWN_SETTINGS = """\
Where servers differ, a server may have settings of its own, as in `checks: {replication: {behind:
{warning: 600, critical: 3600}}}` for a copy behind a slow line. Each setting is in place of that of
the cluster, as a whole: a `behind` with `critical` alone has no `warning`. Settings of the whole
cluster are refused: what is compared between servers, the `effect`, and whether a check is on."""
SHADOW_SETTINGS = """\
A shadow may have what decides verdicts ([try other thresholds](how-to/try-other-thresholds.md)).
What changes the probes, or when they are made, is refused: it judges those of its cluster. Each
setting is in place of that of the cluster, as a whole: `seconds` with `critical` alone has no
`warning`. A setting that a server has of its own remains in force. Of `settle` it may have
{settle}."""
SWITCHES = """\
A check without settings is on, unless it needs one. `off` leaves it out. `counters` is on
if it is named (`counters: true`)."""
SHARED = ("check", "every", "only", "except", "credentials")  # beside `effect`
COMMON_SETTINGS = """\
Beside `effect`, whose default is that of its kind. The checks of each session, such as `bind` and
`monitor`, have neither `every` nor `credentials`."""
TYPES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true, false"}


def reference() -> str:
    """Return the tables as Markdown."""
    whole = schema(BUILT_IN.values())
    definitions = whole["$defs"]
    checks = definitions["ClusterEntry"]["properties"]["checks"]["properties"]
    parts: list[str] = []
    for name, heading in SECTIONS.items():
        parts += _section(heading, definitions[name], definitions, 2)
    parts += ["## `clusters.NAME.checks`", ""]
    parts += [SWITCHES, ""]
    parts += _common_settings(checks)
    for name, choices in checks.items():
        own = {k: each for k, each in choices["anyOf"][0]["properties"].items() if k not in SHARED}
        parts += _section(f"`{name}`", choices["anyOf"][0] | {"properties": own}, definitions, 3)
    parts += _section("A ratio of `monitor`", definitions["Ratio"], definitions, 3)
    parts += _section("A rate of `monitor`", definitions["Rate"], definitions, 3)
    parts += _section("Thresholds", definitions["Thresholds"], definitions, 3)
    parts += _own_settings(definitions["ServerEntry"]["properties"]["checks"]["properties"])
    parts += _shadow_settings(definitions["ShadowEntry"]["properties"])
    return "\n".join(parts).rstrip() + "\n"


def _section(
    heading: str, described: dict[str, Any], definitions: dict[str, Any], level: int
) -> list[str]:
    rows = _rows(described, definitions)
    about = described.get("description", "")
    table = ["| key | value | default | meaning |", "|---|---|---|---|", *rows]
    return [f"{'#' * level} {heading}", "", about, "", *table, ""]


def _common_settings(checks: dict[str, Any]) -> list[str]:
    """Return the table of the settings that any check may have."""
    described = checks["search"]["anyOf"][0]["properties"]
    common = {key: described[key] for key in SHARED}
    about = {"description": COMMON_SETTINGS, "required": [], "properties": common}
    return _section("Settings of any check", about, {}, 3)


def _own_settings(checks: dict[str, Any]) -> list[str]:
    """Return the table of the settings that a server may have of its own."""
    rows = [
        f"| `{name}` | {', '.join(f'`{key}`' for key in described['properties'])} |"
        for name, described in checks.items()
        if "properties" in described
    ]
    return [
        "## `clusters.NAME.servers.NAME.checks`",
        "",
        OWN_SETTINGS,
        "",
        "| check | settings that a server may have of its own |",
        "|---|---|",
        *rows,
        "",
    ]


def _shadow_settings(shadow: dict[str, Any]) -> list[str]:
    """Return the table of the settings that a shadow may have."""
    settle = ", ".join(f"`{key}`" for key in shadow["settle"]["properties"])
    rows = [
        f"| `{name}` | {', '.join(f'`{key}`' for key in described['properties'])} |"
        for name, described in shadow["checks"]["properties"].items()
    ]
    return [
        "## `clusters.NAME.shadow.checks`",
        "",
        SHADOW_SETTINGS.format(settle=settle),
        "",
        "| check | settings that a shadow may have |",
        "|---|---|",
        *rows,
        "",
    ]


def _rows(described: dict[str, Any], definitions: dict[str, Any]) -> Iterator[str]:
    needed, keys = described["required"], described["properties"]
    for key, each in sorted(keys.items(), key=lambda item: item[0] not in needed):
        default = "needed" if key in needed else _default(each.get("default"))
        meaning = each["description"][0].upper() + each["description"][1:]
        yield f"| `{key}` | {_type(each, definitions)} | {default} | {meaning} |"


def _type(each: dict[str, Any], definitions: dict[str, Any]) -> str:
    each = definitions[each["$ref"].rpartition("/")[2]] if "$ref" in each else each
    if each.get("title") in LINKS:
        return LINKS[each["title"]]
    if "enum" in each:
        return ", ".join(f"`{value}`" for value in each["enum"])
    if "anyOf" in each:
        return " or ".join(_type(one, definitions) for one in each["anyOf"] if one != NULL)
    if each["type"] == "array":
        return f"list of: {_type(each['items'], definitions)}"
    if each["type"] == "object":
        return "mapping by name" if "additionalProperties" in each else "mapping"
    kinds = each["type"] if isinstance(each["type"], list) else [each["type"]]
    return " or ".join(TYPES[kind] for kind in kinds) + _bounds(each)


def _bounds(each: dict[str, Any]) -> str:
    phrases = {
        "minimum": "at least",
        "exclusiveMinimum": "more than",
        "maximum": "at most",
    }
    return "".join(f", {phrase} {each[key]:g}" for key, phrase in phrases.items() if key in each)


def _default(value: object) -> str:
    if value in (None, "", {}, []):
        return ""
    if isinstance(value, dict):
        shown = {key: each for key, each in value.items() if each not in (None, "", False, True)}
        return ", ".join(f"{key} `{each}`" for key, each in shown.items())
    if isinstance(value, list):
        return "; ".join(f"{each['of']} to {each['to']}" for each in value)
    if isinstance(value, float):
        return f"`{value:g}`"
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value)}`"


NULL = {"type": "null"}
LINKS = {
    "Thresholds": "[thresholds](#thresholds)",
    "Tls": "[mapping](#tls-of-a-cluster-or-a-server)",
    "ServerEntry": "[mapping](#clustersnameserversname)",
    "Settle": "[mapping](#clustersnamesettle)",
    "AgentSettings": "[mapping](#agent)",
    "HttpSettings": "[mapping](#agenthttp)",
    "HaproxySettings": "[mapping](#agenthaproxy)",
    "Range": "range",
    "ServerId": "server ID",
    "Ratio": "[ratio](#a-ratio-of-monitor)",
    "ShadowEntry": "[shadow](#clustersnameshadow)",
    "Rate": "[rate](#a-rate-of-monitor)",
}


if __name__ == "__main__":
    sys.exit(write_or_check(DOCUMENT, below_mark(DOCUMENT, reference())))
