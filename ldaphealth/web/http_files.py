"""What the HTTP server reads from files, at the start and again after a reload.

The files are named by `agent.http`, or by the web configuration file that it names.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.files.credential import passed_file
from ldaphealth.files.secret_file import read_secret
from ldaphealth.model import Secret
from ldaphealth.settings import HttpSettings
from ldaphealth.web.access import HttpCredentials
from ldaphealth.web.server_tls import server_tls_context
from ldaphealth.web.web_config_file import TlsServerConfig, WebConfigFile, read_web_config_file


class HttpFiles(Struct, frozen=True, kw_only=True):
    """The content of the files.

    `client_names` are the subjectAltNames of which a client certificate must have one; without
    any, every certificate of the client CA is accepted. `headers` replace those of app.py.
    """

    credentials: HttpCredentials = HttpCredentials()
    tls: ssl.SSLContext | None = None
    client_names: frozenset[str] = frozenset()
    headers: Mapping[str, str] = {}

    @property
    def is_guarded(self) -> bool:
        """Return whether there is TLS, and every client must authenticate in some way."""
        return self.tls is not None and (
            not self.credentials.is_open or self.tls.verify_mode is ssl.CERT_REQUIRED
        )


def read_http_files(settings: HttpSettings) -> HttpFiles:
    """Read all files. ValueError names the file and the correction."""
    token = read_secret(Path(settings.token_file)) if settings.token_file else None
    if settings.web_config_file:
        path = Path(settings.web_config_file)
        file = read_web_config_file(Path(passed_file(str(path))))
        credentials = _hashed(file)
        files = HttpFiles(
            tls=_tls(file.tls_server_config, path.parent),
            client_names=_client_names(file),
            headers=_headers(file),
        )
    else:
        credentials = _plain(settings)
        files = HttpFiles(tls=_tls(_tls_settings(settings), Path()))
    credentials = replace(credentials, token=token, open_health=settings.open_health)
    return replace(files, credentials=credentials)


def _plain(settings: HttpSettings) -> HttpCredentials:
    if not settings.password_file:
        return HttpCredentials()
    password = read_secret(Path(settings.password_file)).reveal()
    return HttpCredentials(basic=Secret(f"{settings.user}:{password}"))


def _hashed(file: WebConfigFile) -> HttpCredentials:
    users = file.basic_auth_users or {}
    return HttpCredentials(hashed={user: Secret(each) for user, each in users.items()})


def _tls_settings(settings: HttpSettings) -> TlsServerConfig | None:
    if not settings.certificate_file:
        return None
    return TlsServerConfig(
        cert_file=settings.certificate_file,
        key_file=settings.key_file or settings.certificate_file,
        client_ca_file=settings.client_ca_file,
        client_auth_type="RequireAndVerifyClientCert" if settings.client_ca_file else "",
    )


def _tls(settings: TlsServerConfig | None, directory: Path) -> ssl.SSLContext | None:
    return server_tls_context(settings, directory) if settings else None


def _client_names(file: WebConfigFile) -> frozenset[str]:
    return frozenset(file.tls_server_config.client_allowed_sans if file.tls_server_config else ())


def _headers(file: WebConfigFile) -> Mapping[str, str]:
    headers = file.http_server_config.headers if file.http_server_config else {}
    return {name: value for name, value in headers.items() if value}
