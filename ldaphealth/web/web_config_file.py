"""The web configuration file of Prometheus and its exporters (`--web.config.file`).

https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md. So operators
need one format for the TLS and the users of all that Prometheus scrapes. A key that has no effect
here is a mistake, because the agent would be less protected than its file says. http_files.py reads
the file at the start and after a reload.
"""

from __future__ import annotations

import re
import ssl
import stat
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from ldaphealth.config.fill import fill_struct
from ldaphealth.config.mistakes import ConfigError, Problems
from ldaphealth.config.yaml_file import read_yaml
from ldaphealth.model import SettingMistakes

# The cipher suites of TLS 1.2 in crypto/tls of Go that are considered secure, and their names in
# OpenSSL. Those of TLS 1.3 cannot be chosen, in Go neither.
CIPHERS = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
}
TLS_1_3_CIPHERS = frozenset(
    {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
)
VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
CURVES = {
    "CurveP256": "prime256v1",
    "CurveP384": "secp384r1",
    "CurveP521": "secp521r1",
    "X25519": "X25519",
}
BCRYPT = re.compile(r"\$2[aby]\$(?:0[4-9]|1[0-9]|2[0-9]|3[01])\$[./A-Za-z0-9]{53}")
# The headers that the file may set, and the values of those that have only a few.
HEADERS: dict[str, frozenset[str]] = {
    "Content-Security-Policy": frozenset(),
    "Strict-Transport-Security": frozenset(),
    "X-Content-Type-Options": frozenset({"nosniff"}),
    "X-Frame-Options": frozenset({"deny", "sameorigin"}),
    "X-XSS-Protection": frozenset(),
}

Version = Literal["TLS12", "TLS13"]
ClientAuthentication = Literal[
    "", "NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"
]
Curve = Literal["CurveP256", "CurveP384", "CurveP521", "X25519"]


class TlsServerConfig(Struct, frozen=True, kw_only=True):
    """The section `tls_server_config`; files are relative to the directory of the file."""

    cert: str = ""
    key: str = ""
    client_ca: str = ""
    cert_file: str = ""
    key_file: str = ""
    client_ca_file: str = ""
    client_auth_type: ClientAuthentication = ""
    client_allowed_sans: tuple[str, ...] = ()
    min_version: Version = "TLS12"
    max_version: Version = "TLS13"
    cipher_suites: tuple[str, ...] = ()
    prefer_server_cipher_suites: bool = True
    curve_preferences: Annotated[tuple[Curve, ...], Meta(max_length=1)] = ()

    def find_mistakes(self) -> SettingMistakes:
        """Yield each wrong key with what is wrong, "" for the mapping as a whole."""
        for inline, file in (("cert", "cert_file"), ("key", "key_file")):
            if bool(getattr(self, inline)) == bool(getattr(self, file)):
                yield "", f"one of {inline} and {file} must be given"
        if self.client_ca and self.client_ca_file:
            yield "", "only one of client_ca and client_ca_file may be given"
        yield from self._mistakes_of_clients()
        if self.min_version > self.max_version:
            yield "max_version", "must not be lower than min_version"
        for each in self.cipher_suites:
            if each not in CIPHERS and each not in TLS_1_3_CIPHERS:
                yield "cipher_suites", f"{each!a} is unknown or insecure; {', '.join(CIPHERS)}"
        if self.cipher_suites and not self.openssl_ciphers and self.min_version == "TLS12":
            yield "cipher_suites", "has none for TLS 1.2; set min_version to TLS13"

    def _mistakes_of_clients(self) -> SettingMistakes:
        has_authority = bool(self.client_ca or self.client_ca_file)
        if self.verifies_clients and not has_authority:
            yield "client_auth_type", "needs client_ca_file or client_ca"
        if has_authority and not self.verifies_clients:
            yield "client_auth_type", "must be RequireAndVerifyClientCert if there is a client CA"
        if self.client_allowed_sans and self.client_auth_type != "RequireAndVerifyClientCert":
            yield "client_allowed_sans", "needs client_auth_type RequireAndVerifyClientCert"

    @property
    def verifies_clients(self) -> bool:
        """Return whether clients may or must present a certificate."""
        return self.client_auth_type in ("VerifyClientCertIfGiven", "RequireAndVerifyClientCert")

    @property
    def openssl_ciphers(self) -> str:
        """Return the cipher suites of TLS 1.2 in the form of OpenSSL."""
        return ":".join(CIPHERS[each] for each in self.cipher_suites if each in CIPHERS)


class HttpServerConfig(Struct, frozen=True):
    """The section `http_server_config`. HTTP/2 is never spoken: TLS negotiates HTTP/1.1."""

    http2: bool = True
    headers: dict[str, str] = {}

    def find_mistakes(self) -> SettingMistakes:
        """Yield each wrong key with what is wrong."""
        for name, value in self.headers.items():
            allowed = HEADERS.get(name)
            if allowed is None:
                yield "headers", f"{name!a} cannot be set; {', '.join(HEADERS)} can"
            elif value and allowed and value not in allowed:
                yield "headers", f"{name} must be {' or '.join(sorted(allowed))}"
            elif not value.isprintable() or not value.isascii():
                yield "headers", f"{name} has characters that no header may have"


class WebConfigFile(Struct, frozen=True):
    """The whole file. The passwords in `basic_auth_users` are hashed with bcrypt."""

    tls_server_config: TlsServerConfig | None = None
    http_server_config: HttpServerConfig | None = None
    basic_auth_users: dict[str, str] | None = None

    def find_mistakes(self) -> SettingMistakes:
        """Yield each wrong key with what is wrong."""
        for user, hashed in (self.basic_auth_users or {}).items():
            if not user or ":" in user:
                yield "basic_auth_users", "a user needs a name without a colon (RFC 7617)"
            if not BCRYPT.fullmatch(hashed):
                what = f"the password of {user!a} is not hashed with bcrypt"
                yield "basic_auth_users", f"{what}; make it with `htpasswd -nBC 10 USER`"


def read_web_config_file(path: Path) -> WebConfigFile:
    """Read the file. ValueError: one line with all mistakes."""
    problems = Problems()
    try:
        content = read_yaml(path)
        file = fill_struct(WebConfigFile, {} if content is None else content, "", problems)
    except ConfigError as error:
        raise ValueError(f"{path}: {error}") from error
    if problems.lines or not isinstance(file, WebConfigFile):
        raise ValueError(f"{path}: {'; '.join(problems.lines)}")
    if file.tls_server_config and file.tls_server_config.key:
        _require_private(path)
    return file


def _require_private(path: Path) -> None:
    if path.stat().st_mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise ValueError(f"{path}: others can read or change the key in it; chmod 0640 {path}")
