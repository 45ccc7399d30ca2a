"""Where a naming context keeps its contextCSN, by real slapd. The checks use it as well.

It is in the entry of the suffix; with `sync_use_subentry` (slapd.conf(5)) in `cn=ldapsync` below
it, and what the suffix had before stays there; for a glued database (`subordinate`) in the suffix
of the superior database.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from ldaphealth.csn import ATTRIBUTE
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.ldap.flight import SearchRequest
from ldaphealth.model import FailureKind

if TYPE_CHECKING:  # importing it would import ldap3
    from ldaphealth.ldap.session import Session

SUBENTRY = "cn=ldapsync"
COMMA = re.compile(r"(?<!\\),")  # between two RDNs (RFC 4514)
MOST_SUPERIORS = 8

Read = Callable[[str, Sequence[str]], Mapping[str, tuple[str, ...]]]  # `Session.read`


def context_csn_request(base: str) -> SearchRequest:
    """Return the first request of `read_context_csn`, and mostly the only one."""
    return SearchRequest.read(base, (ATTRIBUTE,))


def read_context_csn(session: Session, base: str) -> tuple[str, ...]:
    """Return the values of contextCSN of a naming context, none if there are none to be read."""
    return _read(session.read, base)


def read_context_csn_once(session: Session, base: str) -> tuple[str, ...]:
    """Return what `read_context_csn` returns, as it was read first in this session."""
    return _read(session.read_once, base)


def _read(read: Read, base: str) -> tuple[str, ...]:
    found = read(base, (ATTRIBUTE,)).get(ATTRIBUTE.lower(), ())
    return found or _values(read, f"{SUBENTRY},{base}" if base else SUBENTRY)


def superior_with_csn(session: Session, base: str) -> str:
    """Return the nearest superior entry that has contextCSN, "" if there is none."""
    return next((dn for dn in _superiors(base) if _values(session.read, dn)), "")


def _superiors(dn: str) -> Iterator[str]:
    rdns = COMMA.split(dn)
    return (",".join(rdns[place:]) for place in range(1, min(len(rdns), MOST_SUPERIORS + 1)))


def _values(read: Read, dn: str) -> tuple[str, ...]:
    """Return the values at an entry that need not exist."""
    try:
        return read(dn, (ATTRIBUTE,)).get(ATTRIBUTE.lower(), ())
    except SessionError as error:
        if error.failure.kind is not FailureKind.RESULT:
            raise
        return ()
