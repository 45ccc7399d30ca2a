"""The options of `ldaphealth check` for servers given as LDAP URLs."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct


class UrlOptions(Struct, frozen=True, kw_only=True):
    """The options for all servers given as URLs. A configuration file has its own settings."""

    base: str = ""
    bind_dn: str = ""
    password_file: Path | None = None
    start_tls: bool = False
    ca_file: str = ""
