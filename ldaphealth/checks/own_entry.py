"""The owner of a canary, which the checks that write read before they write to it.

The owner is "ours" only if the entry has the mark of this agent (canary.py).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from ldaphealth.checks.canary import MARK_ATTRIBUTE
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.model import Failure

if TYPE_CHECKING:
    from ldaphealth.ldap.session import Session

Owner = Literal["ours", "missing", "foreign"]
# The code and the text of the finding on an entry that is not written to; `{}` is the DN.
NOT_WRITTEN: Mapping[str, tuple[str, str]] = {
    "missing": (
        "no_canary",
        "no canary {}, or no right to read it; nothing was written (see `ldaphealth canary apply`)",
    ),
    "foreign": (
        "foreign_entry",
        f"{{}} lacks the mark of this agent in {MARK_ATTRIBUTE}; nothing was written",
    ),
}


COPY = "its database is a copy, which takes no writes: set `role: consumer` for this server"


def is_copy(failure: Failure) -> bool:
    """Return whether a write failed because the database is a copy, as that of a consumer.

    slapd answers with the referral of `updateref` (slapd.conf(5), RFC 4511 4.1.10). Without one it
    is unwillingToPerform, which has other causes too; its diagnostic message distinguishes them.
    """
    if failure.result_code == "unwillingToPerform":
        return "shadow context" in failure.detail
    return failure.result_code == "referral"


def read_own(
    session: Session, dn: str, mark: str, more: Sequence[str] = ()
) -> tuple[Owner, Mapping[str, tuple[str, ...]]]:
    """Return the owner of an entry, and its attributes `more`, by their names in lower case.

    SessionError if it cannot be read for another reason than noSuchObject.
    """
    try:
        entry = session.read(dn, (MARK_ATTRIBUTE, *more))
    except SessionError as error:
        if error.failure.result_code != "noSuchObject":
            raise
        return "missing", {}
    return ("ours" if mark in entry.get(MARK_ATTRIBUTE, ()) else "foreign"), entry


def fresh_token() -> str:
    """Return a new random value."""
    return f"ldaphealth {os.urandom(16).hex()}"
