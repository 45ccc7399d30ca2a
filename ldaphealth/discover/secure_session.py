"""A session with the encryption that works: StartTLS or LDAPS first, and in the clear last.

A password is sent in the clear only to this host, or if that was permitted (RFC 4513 6.3.3).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.ldap.accounts import Accounts
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.endpoint import DEFAULT_PORTS, parse_uri
from ldaphealth.ldap.session import Session, open_session
from ldaphealth.model import BindMethod, Credentials, FailureKind, Server, Tls

# After these the server has been reached, and another kind of encryption may work.
NO_TLS = frozenset(
    {FailureKind.RESULT, FailureKind.TLS, FailureKind.TLS_REFUSED, FailureKind.CERTIFICATE}
)
NO_PORT = frozenset({FailureKind.CONNECT, FailureKind.TIMEOUT})  # nothing listens for LDAPS
REMEDY = (
    "the password is not sent in the clear: give the authority of its certificate with --ca-file, "
    "or permit that with --cleartext"
)
BUDGET_BYTES = 4 << 20  # a session of discovery reads more than one of a check
LDAPS_PART = 0.4  # of the time that is left; a firewall may drop packets to the other port


class ServerAccess(Struct, frozen=True, kw_only=True):
    """With which account and which encryption servers are read.

    `start_tls`: nothing but StartTLS on ldap:// will do. `cleartext`: a password may go in the
    clear where TLS does not work.
    """

    cluster: str
    credentials: Credentials = Credentials()
    ca_file: str = ""
    start_tls: bool = False
    cleartext: bool = False


class Opened(Struct, frozen=True):
    """An open session, its server with the URI and the TLS that worked, and why not a better one.

    `no_tls` is empty with TLS.
    """

    session: Session
    server: Server
    no_tls: str = ""


def open_securely(uri: str, access: ServerAccess, deadline: Deadline, accounts: Accounts) -> Opened:
    """Open the best session that a server offers; SessionError with the reason of each try."""
    reasons: list[SessionError] = []
    for server in attempts(uri, access):
        limit = deadline
        if reasons and server.uri != uri:
            limit = Deadline.after(LDAPS_PART * deadline.left("LDAPS"), deadline.now)
        try:
            session = open_session(server, limit, BUDGET_BYTES, accounts)
        except SessionError as error:
            permitted = NO_TLS if server.uri == uri else NO_TLS | NO_PORT
            if error.failure.kind not in permitted:
                raise
            reasons.append(error)
            continue
        no_tls = "" if _has_tls(server) or not reasons else _all(reasons)
        return Opened(session, server, no_tls)
    remedy = "" if access.start_tls or parse_uri(uri).is_tls else f"; {REMEDY}"
    raise SessionError(replace(reasons[0].failure, detail=f"{_all(reasons)}{remedy}"))


def attempts(uri: str, access: ServerAccess) -> Iterator[Server]:
    """Yield the server with each kind of encryption that is permitted, the best first. Pure."""
    endpoint = parse_uri(uri)
    tls = Tls(ca_file=access.ca_file)
    plain = Server(
        cluster=access.cluster, name=str(endpoint), uri=uri, credentials=access.credentials, tls=tls
    )
    if endpoint.is_tls or endpoint.is_socket:
        yield plain
        return
    yield replace(plain, tls=replace(tls, start_tls=True))
    if access.start_tls:
        return
    if endpoint.port == DEFAULT_PORTS["ldap"] and endpoint.scheme == "ldap":
        yield replace(plain, uri=f"ldaps://{endpoint.url_host}")
    has_password = access.credentials.method is BindMethod.SIMPLE
    if not has_password or endpoint.is_loopback or access.cleartext:
        wanted = False if has_password and not endpoint.is_loopback else None
        yield replace(plain, tls=Tls(start_tls=wanted))


def _all(reasons: Sequence[SessionError]) -> str:
    """Return why each attempt failed; those after the first are LDAPS."""
    first, *others = [each.failure.detail for each in reasons]
    return "; ".join([first, *(f"LDAPS: {each}" for each in others)])


def _has_tls(server: Server) -> bool:
    return bool(server.tls.start_tls) or parse_uri(server.uri).is_tls
