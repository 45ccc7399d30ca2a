"""Whose an entry is, asked before anything is written to it; for the checks that write.

What comes back is "ours" only where the entry carries our mark (canary.py).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from ldaphealth.checks.canary import MARK_ATTRIBUTE
from ldaphealth.ldap.deadline import SessionError

if TYPE_CHECKING:
    from ldaphealth.ldap.session import Session

Whose = Literal["ours", "missing", "foreign"]
HOW = "`ldaphealth canary apply` makes it"
# The code and the sentence of what is not ours; `{}` is the DN.
NOT_OURS: Mapping[str, tuple[str, str]] = {
    "missing": (
        "no_canary",
        f"no canary {{}}, or no right to read it; nothing was written ({HOW})",
    ),
    "foreign": (
        "foreign_entry",
        f"{{}} lacks our mark in {MARK_ATTRIBUTE}; nothing was written",
    ),
}


def read_own(
    session: Session, dn: str, mark: str, more: Sequence[str] = ()
) -> tuple[Whose, Mapping[str, tuple[str, ...]]]:
    """Tell whose an entry is, and return what it shows of `more`, by attribute in lower case.

    SessionError when it cannot be read for another reason than that it is not there.
    """
    try:
        entry = session.read(dn, (MARK_ATTRIBUTE, *more))
    except SessionError as error:
        if error.failure.result_code != "noSuchObject":
            raise
        return "missing", {}
    return ("ours" if mark in entry.get(MARK_ATTRIBUTE, ()) else "foreign"), entry


def fresh_token() -> str:
    """Return a value that was never written before."""
    return f"ldaphealth {os.urandom(16).hex()}"
