"""A password of the configuration is one object, however many servers and requests use it."""

from __future__ import annotations

import gc
from pathlib import Path

from ldaphealth.config import load
from ldaphealth.ldap import codec
from ldaphealth.model import Secret

PASSWORD = "only one of these"


def test_a_password_of_many_servers_is_kept_once(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text(f"{PASSWORD}\n")
    password.chmod(0o600)
    config = tmp_path / "ldaphealth.yaml"
    servers = ", ".join(f"s{number}: 'ldap://s{number}'" for number in range(20))
    config.write_text(
        f"credentials: {{c: {{dn: cn=a, password_file: {password}}}}}\n"
        f"clusters: {{c: {{credentials: c, servers: {{{servers}}}}}}}\n"
    )

    settings = load(config)
    for server in settings.clusters["c"].servers:
        assert PASSWORD.encode() in codec.bind_request(server.credentials)

    kept = [
        each for each in gc.get_objects() if isinstance(each, Secret) and each.reveal() == PASSWORD
    ]
    assert len(kept) == 1
