"""What a server says of itself to everybody: the root DSE (RFC 4512 5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from ldaphealth.ldap.names import ALL_ENTRIES, parse_dn
from ldaphealth.text.printable import printable

if TYPE_CHECKING:
    from ldaphealth.ldap.session import Session

ATTRIBUTES = (
    "vendorName",
    "vendorVersion",
    "structuralObjectClass",
    "namingContexts",
    "defaultNamingContext",
    "supportedControl",
    "supportedExtension",
    "supportedSASLMechanisms",
    "monitorContext",
    "configContext",
)
MOST_VALUES = 256  # of one attribute; slapd has about 20
MOST_CONTEXTS = 16
LONGEST = 256


class RootDse(Struct, frozen=True, kw_only=True):
    """The values of the root DSE, bounded and printable; `naming_contexts` are valid DNs.

    All is empty if the account may not read it.
    """

    vendor: str = ""
    naming_contexts: tuple[str, ...] = ()
    default_naming_context: str = ""
    controls: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    mechanisms: tuple[str, ...] = ()
    monitor_context: str = ""
    config_context: str = ""


def read_root_dse(session: Session) -> RootDse:
    """Return the root DSE; SessionError."""
    found = session.search("", "base", ALL_ENTRIES, ATTRIBUTES)
    entry = found[0][1] if found else {}

    def values(name: str) -> tuple[str, ...]:
        return tuple(printable(each, LONGEST) for each in entry.get(name, ())[:MOST_VALUES])

    def first(name: str) -> str:
        return next(iter(values(name)), "")

    is_slapd = first("structuralObjectClass") == "OpenLDAProotDSE"  # it has no vendorName
    vendor = " ".join(filter(None, (first("vendorName"), first("vendorVersion"))))
    contexts = entry.get("namingContexts", ())[:MOST_VALUES]
    default = "".join(entry.get("defaultNamingContext", ())[:1])
    return RootDse(
        vendor=vendor or ("OpenLDAP" if is_slapd else ""),
        naming_contexts=tuple(filter(is_usable_dn, dict.fromkeys(contexts)))[:MOST_CONTEXTS],
        default_naming_context=default if is_usable_dn(default) else "",
        controls=values("supportedControl"),
        extensions=values("supportedExtension"),
        mechanisms=values("supportedSASLMechanisms"),
        monitor_context=first("monitorContext"),
        config_context=first("configContext"),
    )


def is_usable_dn(text: str) -> bool:
    """Return whether a text from a server is a DN (RFC 4514) for one line of a configuration."""
    if not text or len(text) > LONGEST or not text.isprintable():
        return False
    try:
        parse_dn(text)
    except ValueError:
        return False
    return True
