"""Whether a port speaks the other kind of LDAP: with TLS from the first octet, or without.

A server that expects TLS (LDAPS) often closes the connection when it gets LDAP, without a reason.
One more connection to the port, with the first message of the other kind, shows the cause. The
one-shot commands call `with_other_protocol` after a session that got no LDAP response; the agent
never does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from msgspec.structs import replace

from ldaphealth.ldap import ber
from ldaphealth.ldap.codec import search_request
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.endpoint import Endpoint, parse_uri
from ldaphealth.ldap.names import ALL_ENTRIES, NO_ATTRIBUTES
from ldaphealth.ldap.resolver import resolve
from ldaphealth.ldap.sentences import BROKEN, REMEDY, SPEAKS_LDAPS, SPEAKS_PLAIN
from ldaphealth.ldap.session import PROXY_LOCAL
from ldaphealth.ldap.transport import connect
from ldaphealth.model import AnyObservation, Server

LONGEST_SECONDS = 1.0
MESSAGE_ID = b"\x02\x01\x01"
# The first two octets of a record of TLS: an alert or a handshake message (RFC 8446 5.1).
TLS_RECORDS = (b"\x15\x03", b"\x16\x03")


def with_other_protocol(
    server: Server, seen: Sequence[AnyObservation], deadline: Deadline
) -> list[AnyObservation]:
    """Return the observations of a probe; a failure names the other protocol if it is that.

    It takes at most a second, and not longer than the deadline of the probe.
    """
    failure = seen[-1].failure if seen else None
    if failure is None or failure.kind not in BROKEN or failure.answered or failure.is_local:
        return [*seen]
    endpoint = parse_uri(server.uri)
    if REMEDY in failure.detail or not _speaks(server, endpoint, deadline):
        return [*seen]
    detail = f"{failure.detail}; {SPEAKS_PLAIN if endpoint.is_tls else SPEAKS_LDAPS}"
    return [*seen[:-1], replace(seen[-1], failure=replace(failure, detail=detail))]


def _speaks(server: Server, endpoint: Endpoint, deadline: Deadline) -> bool:
    """Return whether the port answers the first message of the other protocol."""
    short = replace(deadline, at=min(deadline.at, deadline.now() + LONGEST_SECONDS))
    try:
        sock = connect(resolve(endpoint, short), short)
    except SessionError:
        return False
    has_header = server.proxy_protocol or endpoint.has_proxy_protocol
    try:
        sock.settimeout(short.left("the other protocol"))
        sock.sendall(PROXY_LOCAL * has_header + (_search() if endpoint.is_tls else _client_hello()))
        answer = sock.recv(2)
    except (OSError, SessionError):
        return False
    finally:
        sock.close()
    return answer[:1] == bytes((ber.SEQUENCE,)) if endpoint.is_tls else answer in TLS_RECORDS


def _search() -> bytes:
    """Return a search of the root DSE, which needs no bind."""
    request = search_request("", "base", ALL_ENTRIES, (NO_ATTRIBUTES,), 0)
    return ber.element(ber.SEQUENCE, MESSAGE_ID + request)


def _client_hello() -> bytes:
    """Return the first message of TLS; nothing that follows it matters."""
    import ssl  # noqa: PLC0415  few processes need it

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    outgoing = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing).do_handshake()
    return outgoing.read()
