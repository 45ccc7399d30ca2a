"""The TLS context of the HTTP server, from files or from PEM in the web configuration file."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ldaphealth.files.credential import passed_file
from ldaphealth.web.web_config_file import CURVES, VERSIONS, TlsServerConfig


def server_tls_context(settings: TlsServerConfig, directory: Path) -> ssl.SSLContext:
    """Read the certificates and the key. ValueError names the file that cannot be used.

    Names of files are relative to `directory`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_NO_RENEGOTIATION  # OpenSSL 1.1.1 would do it at each request
    if not settings.prefer_server_cipher_suites:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.minimum_version = VERSIONS[settings.min_version]
    context.maximum_version = VERSIONS[settings.max_version]
    if settings.openssl_ciphers:
        context.set_ciphers(settings.openssl_ciphers)
    for curve in settings.curve_preferences:
        context.set_ecdh_curve(CURVES[curve])
    _load_certificate(context, settings, directory)
    if settings.verifies_clients:
        required = settings.client_auth_type == "RequireAndVerifyClientCert"
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
        _load_client_authority(context, settings, directory)
    return context


def _load_certificate(context: ssl.SSLContext, settings: TlsServerConfig, directory: Path) -> None:
    names = filter(None, dict.fromkeys((settings.cert_file, settings.key_file)))
    where = (
        " and ".join(passed_file(str(directory / name)) for name in names) or "tls_server_config"
    )
    try:
        with (
            _pem(settings.cert, settings.cert_file, directory) as certificate,
            _pem(settings.key, settings.key_file, directory) as key,
        ):  # the passphrase of a key must not be requested from a terminal
            context.load_cert_chain(certificate, key, password=lambda: "")
    except OSError as error:  # ssl.SSLError is one
        raise ValueError(f"{where}: no certificate with its key in PEM: {error}") from error


def _load_client_authority(
    context: ssl.SSLContext, settings: TlsServerConfig, directory: Path
) -> None:
    name = settings.client_ca_file
    path = passed_file(str(directory / name)) if name else None
    try:
        context.load_verify_locations(path, cadata=settings.client_ca or None)
    except (OSError, ValueError) as error:  # ValueError: not ASCII
        where = path or "tls_server_config.client_ca"
        raise ValueError(f"{where}: no CA certificate in PEM: {error}") from error


@contextmanager
def _pem(text: str, name: str, directory: Path) -> Iterator[str]:
    """Return the path of a file, or of an unnamed file in memory: OpenSSL is only given paths."""
    if name:
        yield passed_file(str(directory / name))
        return
    descriptor = os.memfd_create("pem")
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(text.encode())
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
