"""The client side of TLS: the context, the client certificate, and why TLS was refused.

transport.py does the handshake with the context, and calls `refusal` for each error. A server that
refuses TLS is alive, so this must not look like a broken handshake.
"""

from __future__ import annotations

import os
import re
import ssl
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from msgspec import Struct

from ldaphealth.clocks import EpochSeconds
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.ldap.tls_sessions import TlsSessions
from ldaphealth.model import Failure, FailureKind, Tls

HANDSHAKE, CERTIFICATE_REQUEST = 22, 13  # ContentType and HandshakeType, RFC 8446 5.1 and 4
VERSIONS = {
    "TLSv1.0": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}

# What to do about the alerts of RFC 8446 6.2 and RFC 5246 7.2.2 that depend on the client.
_MISSING = "it requires a client certificate: set certificate_file to one that it trusts"
_REFUSED = "it does not accept the client certificate: see its log, and check certificate_file"
_UNTRUSTED = (
    "it does not trust the issuer of the client certificate: certificate_file must be issued by an "
    "authority that the server trusts, and contain its chain"
)
_EXPIRED = "the client certificate, or one of its chain, has expired: renew certificate_file"
_VERSION = (
    "no version of TLS in common: lower min_version, or enable TLS 1.2 on the server; versions "
    "below TLSv1.2 also need ciphers such as DEFAULT:@SECLEVEL=0"
)
_CIPHER = (
    "no cipher in common, or it requires a client certificate: set ciphers, such as DEFAULT, or "
    "certificate_file"
)
ALERTS = {
    "access_denied": _REFUSED,
    "bad_certificate": _REFUSED,
    "certificate_expired": _EXPIRED,
    "certificate_required": _MISSING,
    "certificate_revoked": "the client certificate is revoked: renew certificate_file",
    "certificate_unknown": _REFUSED,
    "decrypt_error": _REFUSED,
    "handshake_failure": _CIPHER,
    "insufficient_security": _CIPHER,
    "no_certificate": _MISSING,
    "protocol_version": _VERSION,
    "unknown_ca": _UNTRUSTED,
    "unrecognized_name": "it has no certificate for this name: set server_name",
    "unsupported_certificate": _REFUSED,
}
# OpenSSL's name of an alert that was received, such as TLSV1_ALERT_UNKNOWN_CA.
_ALERT = re.compile(r"(?:SSLV3_ALERT|TLSV1_ALERT|TLSV13_ALERT|TLSV1)_(\w+)")

# What the TLS library of this host refuses, although the server and other clients may accept it.
_WEAK = "set ciphers, such as DEFAULT:@SECLEVEL=0, or strengthen the key of the server"
LIBRARY = {
    "BAD_LEGACY_VERSION": _VERSION,
    "CA_KEY_TOO_SMALL": _WEAK,
    "CA_MD_TOO_WEAK": _WEAK,
    "DH_KEY_TOO_SMALL": _WEAK,
    "EE_KEY_TOO_SMALL": _WEAK,
    "LEGACY_SIGALG_DISALLOWED_OR_UNSUPPORTED": _WEAK,
    "NO_CIPHERS_AVAILABLE": "set ciphers that fit min_version",
    "NO_PROTOCOLS_AVAILABLE": _VERSION,
    "UNSAFE_LEGACY_RENEGOTIATION_DISABLED": "the server lacks RFC 5746: update its TLS library",
    "UNSUPPORTED_PROTOCOL": _VERSION,
    "VERSION_TOO_LOW": _VERSION,
    "WRONG_CURVE": _WEAK,
    "WRONG_SIGNATURE_TYPE": _WEAK,
}


class TlsObject(ssl.SSLObject):
    """The TLS of one connection; it notes whether the server requested a client certificate."""

    requests_certificate = False


class ClientTls(Struct, frozen=True):
    """The context, and when the first certificate in `certificate_file` expires; None without.

    `sessions` are those that were made with the context.
    """

    context: ssl.SSLContext
    certificate_expires: EpochSeconds | None
    sessions: TlsSessions


def client_tls(tls: Tls) -> ClientTls:
    """Return the context for these settings, cached until one of the files changes.

    To make one reads all trusted authorities (50 ms of CPU with those of the system). SessionError
    if a file cannot be loaded, or if the ciphers are unknown to OpenSSL.
    """
    files = [path for path in (tls.ca_file, tls.certificate_file, tls.key_file) if path]
    try:
        stamps = tuple(os.stat(path).st_mtime_ns for path in files)  # noqa: PTH116
        found = _cached(tls, stamps)
    except OSError as error:
        found = str(error)
    if isinstance(found, ClientTls):
        return found
    what = f"the TLS files {', '.join(files)}" if files else "the settings of TLS"
    raise SessionError(Failure(FailureKind.TLS, f"cannot load {what}: {found}", is_local=True))


@lru_cache(maxsize=64)
def _cached(
    tls: Tls,
    stamps: tuple[int, ...],  # noqa: ARG001  part of the key of the cache
) -> ClientTls | str:
    """Return the context, or why there is none: to find that out takes as long."""
    try:
        return _client_tls(tls)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        return str(error)


def _client_tls(tls: Tls) -> ClientTls:
    context = ssl.create_default_context(cafile=tls.ca_file or None)
    # Python 3.13 sets it, and so refuses authorities without keyUsage; other LDAP clients do not.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.min_version:
        context.minimum_version = VERSIONS[tls.min_version]
    if tls.ciphers:
        _set_ciphers(context, tls.ciphers)
    context.sslobject_class = TlsObject
    context._msg_callback = _note  # type: ignore[attr-defined]  # noqa: SLF001  the only way
    if not tls.certificate_file:
        return ClientTls(context, None, TlsSessions())
    context.load_cert_chain(tls.certificate_file, tls.key_file or None)
    expires = first_expiry(Path(tls.certificate_file).read_text("utf-8", "replace"))
    return ClientTls(context, expires, TlsSessions())


def _set_ciphers(context: ssl.SSLContext, ciphers: str) -> None:
    try:
        context.set_ciphers(ciphers)
    except ssl.SSLError as error:
        detail = f"OpenSSL has none of the ciphers {ciphers!r}; see openssl-ciphers(1)"
        raise ValueError(detail) from error


def _note(  # noqa: PLR0913, PLR0917  the signature that ssl requires
    connection: Any, direction: str, version: int, content: int, message: int, data: bytes
) -> None:
    del version, data
    if (direction, content, message) == ("read", HANDSHAKE, CERTIFICATE_REQUEST):
        connection.requests_certificate = True


def refusal(error: Exception | None, tls: Tls, *, requested_certificate: bool) -> str:
    """Return why the server, or the TLS library here, refuses TLS between the two; "" if neither.

    `error` is that of the TLS library, None if the server closed the connection.
    `requested_certificate`: the server requested a client certificate, and has not sent an LDAP
    message since. A close then is most likely a refusal: slapd with GnuTLS sends no alert.
    """
    name = getattr(error, "reason", None) or ""
    by_certificate = _REFUSED if tls.certificate_file else _MISSING
    if name in LIBRARY:
        what = name.lower().replace("_", " ")
        return f"the TLS library of this host refuses the server's TLS ({what}): {LIBRARY[name]}"
    if found := _ALERT.fullmatch(name):
        alert = found[1].lower()
        advice = ALERTS.get(alert, "see its log")
        if requested_certificate and advice is _CIPHER:  # OpenSSL with TLS 1.2 needs one
            advice = by_certificate
        return f"the server refused TLS with the alert {alert}: {advice}{_validity(tls)}"
    if requested_certificate and isinstance(error, ssl.SSLEOFError | ConnectionError | None):
        how = "the server closed the connection after it had requested a client certificate"
        return f"{how}: {by_certificate}{_validity(tls)}"
    return ""


def _validity(tls: Tls) -> str:
    """Return a remark on the end of the client certificate; the reader compares it with today."""
    expires = client_tls(tls).certificate_expires
    if expires is None:
        return ""
    return f"; {tls.certificate_file} is valid until {datetime.fromtimestamp(expires, UTC):%F}"


# The expiry of certificates in a file. OpenSSL has no public function for it in Python.

PEM = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def first_expiry(text: str) -> EpochSeconds | None:
    """Return when the first of the certificates (PEM) expires; None if none can be read.

    pyasn1 is loaded here, because few checks have a client certificate.
    """
    from pyasn1.error import PyAsn1Error  # noqa: PLC0415

    try:
        found = [_expiry(ssl.PEM_cert_to_DER_cert(each)) for each in PEM.findall(text)]
    except (ValueError, IndexError, PyAsn1Error):
        return None
    return min(found, default=None)


def _expiry(der: bytes) -> EpochSeconds:
    """Return notAfter of a certificate (RFC 5280 4.1.2.5)."""
    from pyasn1.codec.der.decoder import decode  # noqa: PLC0415
    from pyasn1.type.univ import Integer  # noqa: PLC0415

    certificate, _ = decode(der)
    to_be_signed = certificate[0]
    has_version = isinstance(to_be_signed[1], Integer)  # before the serial number
    not_after = to_be_signed[4 if has_version else 3][1]
    return float(not_after.asDateTime.timestamp())
