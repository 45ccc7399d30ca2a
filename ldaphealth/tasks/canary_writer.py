"""Adding the canaries: the only code that adds entries, and only for an administrator who asks.

`ldaphealth canary apply` calls it. What is there is never changed.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.checks.canary import MARK_ATTRIBUTE
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.session import Session
from ldaphealth.model import Credentials, Role, Server
from ldaphealth.settings import Cluster

Entry = Mapping[str, tuple[str, ...]]
NOT_THERE = "noSuchObject"
REFUSED = "invalidCredentials"


class CanaryResult(Struct, frozen=True):
    """What became of one entry."""

    dn: str
    is_there: bool
    outcome: str


def write_canaries(
    cluster: Cluster,
    entries: Mapping[str, Entry],
    credentials: Credentials | None,
    deadline_seconds: float,
) -> list[CanaryResult]:
    """Add the entries that are missing on the first provider that can be bound to.

    Each provider gets `deadline_seconds`, so one that hangs keeps no other from taking them. A
    refused password is not tried elsewhere: that locks accounts. Without `credentials` those of the
    provider's configuration serve.
    """
    troubles: list[str] = []
    for server in cluster.servers:
        if server.role is not Role.PROVIDER:
            continue
        asked = server if credentials is None else replace(server, credentials=credentials)
        session = Session(asked, Deadline.after(deadline_seconds))
        try:
            session.connect()
            session.bind()
        except SessionError as error:
            troubles.append(f"{server.id}: {error.failure.detail}")
            if error.failure.result_code == REFUSED:
                break
            continue
        try:
            return [_add(session, server, dn, entry) for dn, entry in entries.items()]
        finally:
            session.close()
    outcome = "; ".join(troubles) or "the cluster has no provider, which takes writes"
    return [CanaryResult(dn, is_there=False, outcome=outcome) for dn in entries]


def _add(session: Session, server: Server, dn: str, entry: Entry) -> CanaryResult:
    try:
        marks = _marks(session, dn)
        if marks is None:
            session.add(dn, entry)
            return CanaryResult(dn, is_there=True, outcome=f"added on {server.id}")
    except SessionError as error:
        detail = error.failure.detail
        if error.failure.result_code == NOT_THERE:
            detail = f"{detail}; the container {dn.partition(',')[2]} must be there first"
        return CanaryResult(dn, is_there=False, outcome=detail)
    if set(entry[MARK_ATTRIBUTE]) <= set(marks):
        return CanaryResult(dn, is_there=True, outcome="is there already")
    return CanaryResult(dn, is_there=False, outcome="is somebody else's entry; left alone")


def _marks(session: Session, dn: str) -> tuple[str, ...] | None:
    """Return the marks of an entry, None when there is no entry."""
    try:
        return session.read(dn, (MARK_ATTRIBUTE,)).get(MARK_ATTRIBUTE, ())
    except SessionError as error:
        if error.failure.result_code != NOT_THERE:
            raise
        return None
