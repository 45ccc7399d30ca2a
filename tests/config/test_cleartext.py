"""Which passwords go in the clear, by what the configuration says."""

from __future__ import annotations

from pathlib import Path

import pytest

from ldaphealth.config import load
from ldaphealth.config.cleartext import passwords_in_clear

ACCOUNT = "credentials: {{probe: {{dn: cn=probe, password_file: {}}}}}\n"
USER = "{login: {filter: (uid=u), credentials: probe}}"


def found(directory: Path, text: str) -> list[str]:
    """Return the sentences about a configuration."""
    file, password = directory / "ldaphealth.yaml", directory / "password"
    password.touch(0o600)
    password.write_text("secret")
    file.write_text(ACCOUNT.format(password) + text)
    return [*passwords_in_clear(load(file).clusters.values())]


@pytest.mark.parametrize(
    ("uri", "settings", "is_warned"),
    [
        pytest.param("ldap://192.0.2.1", "", True, id="no TLS"),
        pytest.param("ldap://ldap1.example.com:636", "", True, id="no TLS on any port"),
        pytest.param("pldap://192.0.2.1", "", True, id="PROXY protocol"),
        pytest.param("ldap://192.0.2.1", "tls: {verify: false}", True, id="TLS is not started"),
        pytest.param("ldap://192.0.2.1", "tls: {start_tls: true}", False, id="StartTLS"),
        pytest.param("ldap://192.0.2.1", "tls: {start_tls: false}", False, id="it is wanted"),
        pytest.param("ldaps://192.0.2.1", "", False, id="LDAPS"),
        pytest.param("pldaps://192.0.2.1", "", False, id="LDAPS and PROXY protocol"),
        pytest.param("ldap://127.0.0.1", "", False, id="this host"),
        pytest.param("ldap://[::1]:389", "", False, id="this host, by IPv6"),
        pytest.param("ldapi://%2Frun%2Fldapi", "", False, id="a socket"),
    ],
)
def test_a_simple_bind_without_tls_is_warned_of(
    tmp_path: Path, uri: str, settings: str, *, is_warned: bool
) -> None:
    server = f'{{uri: "{uri}"{", " if settings else ""}{settings}}}'
    text = f"clusters: {{c: {{suffix: o=x, credentials: probe, servers: {{a: {server}}}}}}}\n"

    assert bool(found(tmp_path, text)) is is_warned


@pytest.mark.parametrize(
    ("settings", "is_warned"),
    [
        ("", False),
        (f", checks: {USER}", True),
        (f", checks: {USER}, tls: {{start_tls: true}}", False),
    ],
)
def test_the_account_of_a_check_counts_and_no_account_does_not(
    tmp_path: Path, settings: str, *, is_warned: bool
) -> None:
    text = f'clusters: {{c: {{suffix: o=x, servers: {{a: "ldap://192.0.2.1"}}{settings}}}}}\n'

    assert bool(found(tmp_path, text)) is is_warned


def test_the_sentence_names_the_servers_and_the_next_step(tmp_path: Path) -> None:
    servers = ", ".join(f'ldap{n}: "ldap://192.0.2.{n}"' for n in range(1, 9))
    text = f"clusters: {{c: {{suffix: o=x, credentials: probe, servers: {{{servers}}}}}}}\n"

    (said,) = found(tmp_path, text)

    assert said == (
        "c: a password goes to ldap1, ldap2, ldap3, ldap4, ldap5 and 3 more in the clear: set "
        "`tls: {start_tls: true}`, or an ldaps:// URI; `start_tls: false` states that it is wanted"
    )
