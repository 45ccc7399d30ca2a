"""A file that systemd passes stands for the file of that path, and for no other."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from ldaphealth.config import load
from ldaphealth.files.credential import VARIABLE, passed_file
from ldaphealth.files.secret_file import read_secret

CONFIG = """\
credentials: {{c: {{dn: "cn=a", password_file: {directory}/password}}}}
clusters:
  c:
    credentials: c
    tls: {{ca_file: {directory}/ca.pem}}
    servers: {{a: {{uri: "ldaps://a", tls: {{certificate_file: {directory}/a.pem}}}}, b: "ldaps://b"}}
"""


@pytest.fixture
def passed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "passed"
    directory.mkdir()
    monkeypatch.setenv(VARIABLE, str(directory))
    return directory


def give(directory: Path, path: Path, content: str) -> Path:
    given = directory / "-".join(path.parts[1:])
    given.write_text(content)
    given.chmod(0o400)
    return given


def test_without_systemd_and_without_a_name_nothing_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)

    assert passed_file("/etc/ldaphealth/password") == "/etc/ldaphealth/password"
    monkeypatch.setenv(VARIABLE, "/")
    assert passed_file("") == ""


def test_the_name_is_the_path_with_dashes(passed: Path) -> None:
    (passed / "etc-ldaphealth-password").touch()

    assert passed_file("/etc/ldaphealth/password") == str(passed / "etc-ldaphealth-password")


def test_the_copy_of_another_file_with_the_same_name_is_not_used(passed: Path) -> None:
    (passed / "password").touch()
    (passed / "etc-other-password").touch()

    assert passed_file("/etc/ldaphealth/password") == "/etc/ldaphealth/password"


def test_a_password_is_read_from_the_copy(passed: Path, tmp_path: Path) -> None:
    path = tmp_path / "password"  # which does not exist, or cannot be read by the agent's user
    give(passed, path, "of systemd\n")

    assert read_secret(path).reveal() == "of systemd"


def test_the_files_of_tls_are_read_from_their_copies(passed: Path, tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("a").private_key_and_cert_chain_pem
    give(passed, tmp_path / "password", "x")
    ca = give(passed, tmp_path / "ca.pem", authority.cert_pem.bytes().decode())
    own = give(passed, tmp_path / "a.pem", certificate.bytes().decode())
    config = tmp_path / "ldaphealth.yaml"
    config.write_text(CONFIG.format(directory=tmp_path))

    a, b = load(config).clusters["c"].servers

    assert b.tls.ca_file == str(ca)
    assert a.tls.certificate_file == str(own)
