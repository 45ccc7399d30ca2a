"""What a certificate is called, by what it has."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ldaphealth.ldap.certificate_name import certificate_names, subject_dn

SUBJECT = ((("countryName", "DE"),), (("organizationName", "Example, Inc."),))
CN = ((("commonName", "ldap1.test"),),)


@pytest.mark.parametrize(
    ("found", "names"),
    [
        ({}, ()),
        ({"subjectAltName": (("DNS", "a"), ("IP Address", "::1")), "subject": CN}, ("a", "::1")),
        ({"subjectAltName": (("othername", "<unsupported>"),), "subject": CN}, ("ldap1.test",)),
        ({"subjectAltName": (("DirName", CN),), "subject": SUBJECT}, (r"O=Example\, Inc.,C=DE",)),
        ({"subject": (*SUBJECT, *CN)}, ("ldap1.test",)),
        ({"subject": (), "serialNumber": "0A"}, ("serial number 0A",)),
    ],
)
def test_the_names_of_a_certificate(found: dict[str, Any], names: tuple[str, ...]) -> None:
    assert certificate_names(found) == names


@pytest.mark.parametrize("value", ['#1, \\ "x" <y>; +z ', " both ", "plain", " "])
def test_the_subject_is_as_openssl_writes_it(value: str, tmp_path: Path) -> None:
    """openssl-namedisplay-options(1): rfc2253 is the form of RFC 4514."""
    parts = [(NameOID.COUNTRY_NAME, "DE"), (NameOID.ORGANIZATION_NAME, value)]
    name = x509.Name([x509.NameAttribute(*each) for each in parts])
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    (file := tmp_path / "made.pem").write_bytes(made)
    shown = ["openssl", "x509", "-noout", "-subject", "-nameopt", "rfc2253", "-in", str(file)]
    expected = subprocess.run(shown, capture_output=True, text=True, check=True).stdout

    found = subject_dn(((("countryName", "DE"),), (("organizationName", value),)))

    assert expected.rstrip("\n").removeprefix("subject=") == found
