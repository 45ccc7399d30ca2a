"""Types that are written in the configuration file as one text, and their parsers.

fill.py parses the text, json_schema.py describes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from ldaphealth.config.yaml_file import LeadingZero
from ldaphealth.csn.server_id import ServerId, parse_server_id
from ldaphealth.judging.thresholds import Range, parse_range
from ldaphealth.ldap.endpoint import Endpoint, parse_listen
from ldaphealth.ldap.names import DN, AttributeName, parse_attribute_name, parse_dn
from ldaphealth.ldap.search_filter import Filter, parse_filter
from ldaphealth.text.moment import utc_of
from ldaphealth.workload.workload_file import WorkloadFile

MOMENT = "a moment, such as 2026-11-23T03:12Z"


class TextForm(Struct, frozen=True, kw_only=True):
    """The text form of one type. `parse` returns its value, or raises ValueError.

    `written_as` has the types that YAML may return, and `expected` describes them in a message.
    `schema` is their JSON Schema; that of a Struct becomes a separate definition if it has a title.
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


def server_id(written: str | int | LeadingZero) -> ServerId:
    """Return the server ID; its digits are hexadecimal, with or without quotes."""
    return parse_server_id(str(written))


def moment_in_utc(written: str | date) -> datetime:
    """Return the moment, in UTC without an offset; ValueError."""
    try:
        return utc_of(written)
    except ValueError as error:
        raise ValueError(f"must be {MOMENT}, not {str(written)!r}") from error


TEXT_FORMS: Mapping[Any, TextForm] = {
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
        written_as=(str, int, LeadingZero),
        expected="a server ID, such as 00a",
        parse=server_id,
        schema={
            "title": "ServerId",
            "type": ["string", "integer"],
            "pattern": "^(0[xX])?[0-9a-fA-F]{1,3}$",
            "minimum": 0,
            "maximum": 999,
            "description": "a server ID in hexadecimal digits, as in a CSN: 010 is that of "
            "`serverID 16`",
        },
    ),
    DN: TextForm(
        written_as=(str,),
        expected="a DN",
        parse=parse_dn,
        schema={"type": "string"},
    ),
    Filter: TextForm(
        written_as=(str,),
        expected="a filter",
        parse=parse_filter,
        schema={"type": "string"},
    ),
    AttributeName: TextForm(
        written_as=(str,),
        expected="the name of an attribute",
        parse=parse_attribute_name,
        schema={"type": "string"},
    ),
    Endpoint: TextForm(
        written_as=(str,), expected="a text", parse=parse_listen, schema={"type": "string"}
    ),
    WorkloadFile: TextForm(
        written_as=(str,),
        expected="a text",
        parse=lambda text: WorkloadFile(absolute_path(text)),
        schema={"type": "string"},
    ),
    datetime: TextForm(
        written_as=(str, date),  # YAML has a type for dates, and datetime is one of it
        expected=MOMENT,
        parse=moment_in_utc,
        schema={"type": "string", "format": "date-time"},
    ),
    Path: TextForm(
        written_as=(str,), expected="a text", parse=absolute_path, schema={"type": "string"}
    ),
}
