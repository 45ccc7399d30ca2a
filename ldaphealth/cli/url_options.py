"""The options of `ldaphealth check` that go with servers given as LDAP URLs."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct


class UrlOptions(Struct, frozen=True, kw_only=True):
    """What the options say of all servers given as URLs; a configuration file says it otherwise."""

    base: str = ""
    bind_dn: str = ""
    password_file: Path | None = None
    start_tls: bool = False
    ca_file: str = ""
