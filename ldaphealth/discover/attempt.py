"""A search whose refusal is an answer too: the account may not, or there is nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ldaphealth.ldap.deadline import SessionError
from ldaphealth.model import FailureKind

if TYPE_CHECKING:
    from ldaphealth.ldap.codec import Entry, Scope
    from ldaphealth.ldap.session import Session


def attempt(  # noqa: PLR0913, PLR0917  those of a search
    session: Session,
    base: str,
    scope: Scope,
    filter_text: str,
    attributes: Sequence[str],
    size_limit: int = 0,
) -> tuple[tuple[Entry, ...], str]:
    """Return the entries found, and "" or the name of the result code that refused the search.

    SessionError: no result came.
    """
    try:
        return session.search(base, scope, filter_text, attributes, size_limit), ""
    except SessionError as error:
        if error.failure.kind is not FailureKind.RESULT or not session.alive:
            raise
        return (), error.failure.result_code
