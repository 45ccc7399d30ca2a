"""What a certificate is called: by the names of its host, else by its subject or serial number.

Pure. `transport.certificate` calls it with what `ssl.SSLSocket.getpeercert` returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Of subjectAltName (RFC 5280 4.2.1.6), with the words of OpenSSL; others have no form as a text.
KINDS = ("DNS", "IP Address", "URI", "email")
# OpenSSL's names of attribute types, and those of RFC 4514 3.
TYPES = {
    "commonName": "CN",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
}
SPECIAL = str.maketrans({each: f"\\{each}" for each in '\\",+;<>'})


def certificate_names(found: Mapping[str, Any]) -> tuple[str, ...]:
    """Return subjectAltName; else the common names, the subject, or the serial number.

    Empty for a certificate that was not verified, of which nothing is known.
    """
    hosts = [value for kind, value in found.get("subjectAltName", ()) if kind in KINDS and value]
    subject = found.get("subject", ())
    common = [value for rdn in subject for kind, value in rdn if kind == "commonName" and value]
    if hosts or common:
        return tuple(hosts or common)
    if whole := subject_dn(subject):
        return (whole,)
    serial = found.get("serialNumber")
    return (f"serial number {serial}",) if serial else ()


def subject_dn(subject: tuple[tuple[tuple[str, str], ...], ...]) -> str:
    """Return the DN as a text (RFC 4514 2), whose last RDN in the certificate comes first."""
    return ",".join("+".join(map(_value, rdn)) for rdn in reversed(subject))


def _value(pair: tuple[str, str]) -> str:
    kind, value = pair
    text = value.translate(SPECIAL)
    if text[:1] in (" ", "#"):
        text = f"\\{text}"
    if text.endswith(" ") and len(value) > 1:
        text = f"{text[:-1]}\\ "
    return f"{TYPES.get(kind, kind)}={text}"
