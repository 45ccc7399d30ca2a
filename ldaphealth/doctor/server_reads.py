"""What the checks do not read of a server: its kind, its clock, and the canaries of all agents."""

from __future__ import annotations

from collections.abc import Mapping

from ldaphealth.checks.canary import MARK_ATTRIBUTE
from ldaphealth.checks.own_entry import read_own
from ldaphealth.checks.traffic_survey import CLOCK
from ldaphealth.clocks import epoch_seconds
from ldaphealth.doctor import clock
from ldaphealth.doctor.facts import ServerReads
from ldaphealth.ldap.accounts import Accounts
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.names import NO_ATTRIBUTES
from ldaphealth.ldap.session import Session, open_session
from ldaphealth.model import Server
from ldaphealth.settings import Cluster
from ldaphealth.tasks.canary_settings import canaries_of, canary_params

OPENLDAP = "openldaprootdse"  # the object class of its root DSE
MOST_CANARIES = 1000


def read_what_checks_do_not(cluster: Cluster, server: Server, accounts: Accounts) -> ServerReads:
    """Return what can be read in one session; what cannot is as if it were not there."""
    deadline = Deadline.after(cluster.deadline_seconds)
    try:
        session = open_session(server, deadline, accounts=accounts)
    except SessionError:  # its rounds were in order a moment ago
        return ServerReads()
    try:
        root = _read(session, "", ("objectClass", "monitorContext"))
        classes = {each.lower() for each in root.get("objectClass", ())}
        containers = {each.container for each in canary_params(cluster).values()}
        return ServerReads(
            is_openldap=OPENLDAP in classes,
            has_monitor=bool(root.get("monitorContext")) if root else None,
            clock=_clock(session),
            marks={
                each: marks for each in containers if (marks := _marks(session, each)) is not None
            },
            owners=_owners(session, cluster),
        )
    finally:
        session.close()


def _read(session: Session, dn: str, names: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    """Return the attributes of an entry, none after a failure."""
    try:
        return session.read(dn, names)
    except SessionError:
        return {}


def _clock(session: Session) -> clock.ClockReading | None:
    began = epoch_seconds()
    found = _read(session, CLOCK, ("monitorTimestamp", NO_ATTRIBUTES))
    ended = epoch_seconds()
    return clock.of_monitor("".join(found.get("monitorTimestamp", ())), began, ended)


def _marks(session: Session, container: str) -> tuple[str, ...] | None:
    """Return the marks of all canaries in a container; None if the account may not list them."""
    wanted = f"({MARK_ATTRIBUTE}=*)"
    try:
        found = session.search(container, "one", wanted, (MARK_ATTRIBUTE,), MOST_CANARIES)
    except SessionError:
        return None
    return tuple(value for _, entry in found for value in entry.get(MARK_ATTRIBUTE, ()))


def _owners(session: Session, cluster: Cluster) -> Mapping[str, str]:
    """Return the owners of this agent's canaries that no round reads, by DN."""
    owners: dict[str, str] = {}
    for each in canaries_of(cluster):
        if each.purpose == "propagation" or not each.is_written:
            try:
                owners[each.dn], _ = read_own(session, each.dn, each.mark)
            except SessionError:
                if not session.alive:
                    break
    return owners
