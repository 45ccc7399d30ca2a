"""The result of a comparison of contents as a JSON document and as LDIF.

`ldaphealth content diff` calls it; content_table.py renders the document as a table.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ldaphealth.content.difference import Difference, EntryVersion
from ldaphealth.content.progress import ComparisonProgress
from ldaphealth.content.resume_file import ComparedContents
from ldaphealth.content.values import ValueSelection

# SAFE-STRING of RFC 2849 without control characters, and without a space at the end
SAFE = re.compile(r"(?![ :<])[ -~]*(?<! )", re.ASCII)


def content_document(
    cluster: str, compared: ComparedContents, progress: ComparisonProgress, seconds: float
) -> dict[str, Any]:
    """Return the result as it is printed in JSON; docs/content.md explains the keys."""
    return {
        "cluster": cluster,
        "suffix": compared.suffix,
        "duration_seconds": round(seconds, 3),
        "servers": [
            {
                "server": server,
                "entries": progress.entries.get(server, 0),
                "lacking": progress.lacking.get(server, 0),
                "not_compared": progress.not_compared.get(server, ""),
            }
            for server in compared.servers
        ],
        "values": _values(compared.values, progress),
        "different": progress.different,
        "unsettled": progress.unsettled,
        "differences": [_difference(each) for each in progress.differences],
    }


def ldif(report: Mapping[str, Any]) -> str:
    """Return the entries that differ as LDIF content records (RFC 2849), versions as comments."""
    return "\n".join(_ldif(report)) + "\n"


def _values(values: ValueSelection, progress: ComparisonProgress) -> dict[str, Any] | None:
    """Return the attributes whose values were compared, and those that were not."""
    if not values.is_on:
        return None
    return {
        "compared": sorted(progress.attributes - progress.unreadable.keys()),
        "except": sorted(values.excluded),
        "unreadable": {name: [*of] for name, of in sorted(progress.unreadable.items())},
    }


def _version(version: EntryVersion) -> dict[str, str]:
    shown = {"entry_uuid": version.entry_uuid, "entry_csn": version.entry_csn}
    return shown | ({"values": version.values} if version.values else {})


def _difference(each: Difference) -> dict[str, Any]:
    return {
        "dn": each.dn,
        "versions": {server: _version(version) for server, version in each.versions.items()},
        "missing": [*each.missing],
        "odd": sorted(each.odd),
        "attributes": [*each.attributes],
    }


def _ldif(report: Mapping[str, Any]) -> Iterator[str]:
    yield "version: 1"
    for each in report["differences"]:
        yield ""
        for server, version in each["versions"].items():
            yield f"# {server}: {_comment(version['entry_csn'])}"
        yield from (f"# {server}: lacks it" for server in each["missing"])
        if each["attributes"]:
            yield f"# values differ: {_comment(', '.join(each['attributes']))}"
        yield _line("dn", each["dn"])
        uuids = {version["entry_uuid"] for version in each["versions"].values()}
        yield from (_line("entryUUID", uuid) for uuid in sorted(uuids))


def _line(name: str, value: str) -> str:
    if SAFE.fullmatch(value):
        return f"{name}: {value}"
    return f"{name}:: {base64.b64encode(value.encode()).decode()}"


def _comment(text: str) -> str:
    return ascii(text)[1:-1]
