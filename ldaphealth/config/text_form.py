"""Types that are written in the configuration file as one text, and their parsers.

fill.py parses the text, json_schema.py describes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from ldaphealth.csn.server_id import MAX_SERVER_ID, ServerId, parse_server_id
from ldaphealth.judging.thresholds import Range, parse_range
from ldaphealth.ldap.endpoint import Endpoint, parse_listen


class TextForm(Struct, frozen=True, kw_only=True):
    """The text form of one type. `parse` returns its value, or raises ValueError.

    `written_as` has the types that YAML may return, and `expected` describes them in a message.
    `schema` is their JSON Schema; one with a title becomes a separate definition.
    """

    written_as: tuple[type, ...]
    expected: str
    parse: Callable[[Any], Any]
    schema: Mapping[str, Any]


def absolute_path(text: str) -> Path:
    """Return the path; ValueError if it depends on the working directory."""
    path = Path(text)
    if not path.is_absolute():
        raise ValueError("must be an absolute path")
    return path


TEXT_FORMS: Mapping[type, TextForm] = {
    Range: TextForm(
        written_as=(str, int, float),
        expected='a range: a number, or a text such as "1:"',
        parse=parse_range,
        schema={
            "title": "Range",
            "type": ["string", "number"],
            "description": 'a Nagios range: 2 is at most 2, "1:" at least 1, "@1:5" not from 1 '
            "to 5",
        },
    ),
    ServerId: TextForm(
        written_as=(str, int),
        expected='a server ID, such as "01a"',
        parse=parse_server_id,
        schema={
            "title": "ServerId",
            "type": ["string", "integer"],
            "pattern": "^(0x)?[0-9a-fA-F]{1,3}$",
            "minimum": 0,
            "maximum": MAX_SERVER_ID,
            "description": 'a server ID in hexadecimal digits, as CSNs show it: "01a"; or a '
            "decimal number, as in slapd's serverID: 26",
        },
    ),
    Endpoint: TextForm(
        written_as=(str,), expected="a text", parse=parse_listen, schema={"type": "string"}
    ),
    Path: TextForm(
        written_as=(str,), expected="a text", parse=absolute_path, schema={"type": "string"}
    ),
}
