"""Lines of LDIF (RFC 2849)."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping

# SAFE-STRING, and no space at the end, where an editor would remove it.
_SAFE = re.compile(r"(?![ :<])[\x01-\x09\x0b\x0c\x0e-\x7f]*(?<! )")


def ldif_line(name: str, value: str) -> str:
    """Return `name: value`, in base64 if the value is not a SAFE-STRING (RFC 2849)."""
    if _SAFE.fullmatch(value):
        return f"{name}: {value}"
    return f"{name}:: {b64encode(value.encode()).decode()}"


def ldif_entry(dn: str, attributes: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """Yield the lines of an entry, and an empty one after it."""
    yield ldif_line("dn", dn)
    for name, values in attributes.items():
        yield from (ldif_line(name, value) for value in values)
    yield ""


def ldif_modification(dn: str, added: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """Yield the lines of a change that adds values to an entry, and an empty one after it."""
    yield ldif_line("dn", dn)
    yield "changetype: modify"
    for place, (name, values) in enumerate(added.items()):
        if place:
            yield "-"
        yield f"add: {name}"
        yield from (ldif_line(name, value) for value in values)
    yield ""
