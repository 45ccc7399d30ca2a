"""Add the canaries. No other code adds entries.

Only `ldaphealth canary apply` calls it. Existing entries are never changed.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.checks.canary import MARK_ATTRIBUTE
from ldaphealth.checks.own_entry import COPY, is_copy
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.session import Session
from ldaphealth.model import Credentials, Role, Server
from ldaphealth.settings import Cluster

Entry = Mapping[str, tuple[str, ...]]
NO_ENTRY = "noSuchObject"
REFUSED = "invalidCredentials"
# What servers answer to an object class that they do not know, or that no client may add.
REFUSED_CLASS = (
    "invalidAttributeSyntax",
    "objectClassViolation",
    "objectClassModsProhibited",
    "undefinedAttributeType",
    "unwillingToPerform",
)
OTHER_CLASS = (
    "if it is for the object class, set `object_class` of the check to another one, such as device "
    "(Active Directory: contact)"
)


class CanaryResult(Struct, frozen=True):
    """The result for one entry."""

    dn: str
    is_there: bool
    outcome: str


def write_canaries(
    cluster: Cluster,
    entries: Mapping[str, Entry],
    credentials: Credentials | None,
    deadline_seconds: float,
) -> list[CanaryResult]:
    """Add the missing entries on the first provider that accepts the bind.

    Each provider has `deadline_seconds`, so that one that hangs does not block the next. A refused
    password is not tried on other providers, because that can lock accounts. Without `credentials`
    the configured ones of the provider are used.
    """
    failures: list[str] = []
    for server in cluster.servers:
        if server.role is not Role.PROVIDER:
            continue
        target = server if credentials is None else replace(server, credentials=credentials)
        session = Session(target, Deadline.after(deadline_seconds))
        try:
            session.connect()
            session.bind()
        except SessionError as error:
            failures.append(f"{server.id}: {error.failure.detail}")
            if error.failure.result_code == REFUSED:
                break
            continue
        try:
            return [_add(session, server, dn, entry) for dn, entry in entries.items()]
        finally:
            session.close()
    outcome = "; ".join(failures) or "the cluster has no provider; only providers accept writes"
    return [CanaryResult(dn, is_there=False, outcome=outcome) for dn in entries]


def _add(session: Session, server: Server, dn: str, entry: Entry) -> CanaryResult:
    try:
        marks = _marks(session, dn)
        if marks is None:
            session.add(dn, entry)
            return CanaryResult(dn, is_there=True, outcome=f"added on {server.id}")
    except SessionError as error:
        detail = error.failure.detail
        if error.failure.result_code == NO_ENTRY:
            detail = f"{detail}; the container {dn.partition(',')[2]} must be created first"
        elif error.failure.result_code in REFUSED_CLASS and not is_copy(error.failure):
            detail = f"{detail}; {OTHER_CLASS}"
        elif is_copy(error.failure):
            detail = f"{server.id}: {COPY}"
        return CanaryResult(dn, is_there=False, outcome=detail)
    if set(entry[MARK_ATTRIBUTE]) <= set(marks):
        return CanaryResult(dn, is_there=True, outcome="exists already")
    return CanaryResult(
        dn, is_there=False, outcome="exists without the mark of this agent; not changed"
    )


def _marks(session: Session, dn: str) -> tuple[str, ...] | None:
    """Return the marks of an entry, None if there is no entry."""
    try:
        return session.read(dn, (MARK_ATTRIBUTE,)).get(MARK_ATTRIBUTE, ())
    except SessionError as error:
        if error.failure.result_code != NO_ENTRY:
            raise
        return None
