"""The web configuration file of Prometheus' exporters: TLS, clients, users, headers, mistakes."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path
from textwrap import indent

import pytest
import trustme
from msgspec.structs import replace

from ldaphealth.ldap.endpoint import Endpoint
from ldaphealth.settings import HttpSettings
from ldaphealth.web.http_files import read_http_files
from ldaphealth.web.server import ListenError
from ldaphealth.web.web_config_file import CIPHERS, CURVES, read_web_config_file
from tests.web.listening import HOST, Listening
from tests.web.test_server import basic

LISTEN = Endpoint("tcp", HOST, 1)
# The password is "geheim".
USERS = """basic_auth_users:
  anna: $2y$04$nGEkNpmTdUqgO6bGS85YDeOWNZr.hfDabGz0KtfAW5O2yZL0nImKK
"""
TLS = """tls_server_config:
  cert_file: server.pem
  key_file: server.key
"""
CLIENTS = """  client_ca_file: ca.pem
  client_auth_type: RequireAndVerifyClientCert
"""


class Files:
    """A directory with certificates, and the web configuration file in it."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.path = directory, directory / "web.yml"
        self.authority = trustme.CA()
        server = self.authority.issue_cert(HOST)
        self.authority.cert_pem.write_to_path(str(directory / "ca.pem"))
        server.cert_chain_pems[0].write_to_path(str(directory / "server.pem"))
        server.private_key_pem.write_to_path(str(directory / "server.key"))

    def write(self, text: str) -> HttpSettings:
        """Write the file, and return settings that name it."""
        self.path.write_text(text)
        self.path.chmod(0o640)
        return HttpSettings(listen=LISTEN, web_config_file=str(self.path))

    def client(self, *names: str, authority: trustme.CA | None = None) -> ssl.SSLContext:
        """Return the context of a client, with a certificate for these names if there are any."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        if names:
            (authority or self.authority).issue_cert(*names).configure_cert(context)
        return context

    def inline(self, *keys: str) -> str:
        """Return the lines of a certificate or key in the file itself."""
        names = {"cert": "server.pem", "key": "server.key", "client_ca": "ca.pem"}
        return "".join(
            f"  {key}: |\n" + indent((self.directory / names[key]).read_text(), " " * 4)
            for key in keys
        )


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def is_refused(web: Listening) -> bool:
    try:
        web.get("/live")
    except (ssl.SSLError, ConnectionError):
        return True
    return False


def test_users_with_hashed_passwords(files: Files) -> None:
    with Listening(http=files.write(USERS)) as web:
        assert web.get("/ready").status == 401
        assert web.get("/ready", Authorization=basic("anna:geheim")).status == 503
        assert web.get("/ready", Authorization=basic("anna:falsch")).status == 401
        assert web.get("/live").status == 200


def test_a_token_may_be_added(files: Files, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("t0ken")
    token.chmod(0o600)
    http = replace(files.write(USERS), token_file=str(token))
    with Listening(http=http) as web:
        assert web.get("/ready", Authorization="Bearer t0ken").status == 503


def test_tls_with_files_beside_it_and_a_new_certificate_after_a_reload(files: Files) -> None:
    with Listening(http=files.write(TLS + USERS), tls=files.client()) as web:
        assert web.get("/live").status == 200
        assert web.server.listens["http"] == f"https://{HOST}:{web.port}"
        renewed = Files(files.directory)
        web.server.reload()
        web.tls = renewed.client()
        assert web.get("/live").status == 200
        files.write("nonsense: 1")
        web.server.reload()
        assert web.get("/live").status == 200, "the old files are kept"


def test_certificates_in_the_file_itself(files: Files) -> None:
    text = "tls_server_config:\n" + files.inline("cert", "key", "client_ca")
    http = files.write(text + "  client_auth_type: RequireAndVerifyClientCert\n")
    with Listening(http=http, tls=files.client("monitor.example")) as web:
        assert web.get("/live").status == 200
        web.tls = files.client()
        assert is_refused(web)


@pytest.mark.parametrize("by_keys", [True, False], ids=["client_ca_file", "web_config_file"])
def test_clients_need_a_certificate_of_the_authority(files: Files, by_keys: bool) -> None:
    http = files.write(TLS + CLIENTS)
    if by_keys:
        names = {
            "certificate_file": "server.pem",
            "key_file": "server.key",
            "client_ca_file": "ca.pem",
        }
        paths = {key: str(files.directory / name) for key, name in names.items()}
        http = HttpSettings(listen=LISTEN, **paths)  # type: ignore[arg-type]
    with Listening(http=http, tls=files.client("monitor.example")) as web:
        assert web.get("/live").status == 200
        web.tls = files.client()
        assert is_refused(web)
        web.tls = files.client("monitor.example", authority=trustme.CA())
        assert is_refused(web)
        web.tls = files.client("monitor.example")
        assert web.get("/live").status == 200


@pytest.mark.parametrize("name", ["monitor.example", "192.0.2.7", "2001:db8::7", "a@b.example"])
def test_a_client_certificate_must_have_one_of_the_names(
    files: Files, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    names = f"  client_allowed_sans: [other.example, '{name}']\n"
    with Listening(http=files.write(TLS + CLIENTS + names), tls=files.client(name)) as web:
        assert web.get("/live").status == 200
        web.tls = files.client("unknown.example")
        assert is_refused(web)
        assert is_refused(web)
    assert [each.address for each in caplog.records] == [HOST]  # type: ignore[attr-defined]


def test_a_client_may_present_none_where_it_is_only_verified(files: Files) -> None:
    text = TLS + CLIENTS.replace("RequireAndVerifyClientCert", "VerifyClientCertIfGiven")
    with Listening(http=files.write(text), tls=files.client()) as web:
        assert web.get("/live").status == 200
        web.tls = files.client("x.example", authority=trustme.CA())
        assert is_refused(web)


def test_headers(files: Files) -> None:
    headers = """http_server_config:
  http2: false
  headers:
    Strict-Transport-Security: max-age=31536000
    X-Frame-Options: deny
    X-XSS-Protection: ""
"""
    with Listening(http=files.write(headers)) as web:
        found = {name.lower(): value for name, value in web.get("/live").headers.items()}

    assert found["strict-transport-security"] == "max-age=31536000"
    assert found["x-frame-options"] == "deny"
    assert found["x-content-type-options"] == "nosniff", "the agent's own"
    assert "x-xss-protection" not in found


def test_versions_ciphers_and_curves(files: Files) -> None:
    cipher = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"
    chosen = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
    more = f"  max_version: TLS12\n  cipher_suites: [{cipher}, {chosen}]\n"
    more += "  curve_preferences: [CurveP384]\n  prefer_server_cipher_suites: false\n"
    with (
        Listening(http=files.write(TLS + more)) as web,
        web.connected() as client,
        files.client().wrap_socket(client, server_hostname=HOST) as secure,
    ):
        used = secure.cipher()
        assert used is not None
        assert used[0] in {CIPHERS[cipher], CIPHERS[chosen]}
        assert secure.version() == "TLSv1.2"


@pytest.mark.parametrize("cipher", CIPHERS)
def test_openssl_knows_every_cipher(files: Files, cipher: str) -> None:
    read_http_files(files.write(TLS + f"  cipher_suites: [{cipher}]\n"))


@pytest.mark.parametrize("curve", CURVES)
def test_openssl_knows_every_curve(files: Files, curve: str) -> None:
    read_http_files(files.write(TLS + f"  curve_preferences: [{curve}]\n"))


@pytest.mark.parametrize("text", ["", "{}", "tls_server_config:\nbasic_auth_users:\n"])
def test_an_empty_file_is_plain_http(files: Files, text: str) -> None:
    with Listening(http=files.write(text)) as web:
        assert web.get("/ready").status == 503


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("rate_limit: {burst: 1}", "rate_limit: unknown key"),
        ("basic_auth_user: {}", "did you mean basic_auth_users"),
        (TLS + "  min_versoin: TLS13\n", "tls_server_config.min_versoin: unknown key"),
        (TLS + "  min_version: TLS10\n", "tls_server_config.min_version: must be"),
        (TLS + "  min_version: TLS13\n  max_version: TLS12\n", "must not be lower"),
        (TLS + "  client_ca_file: ca.pem\n", "must be RequireAndVerifyClientCert"),
        (TLS + "  client_auth_type: RequireAndVerifyClientCert\n", "needs client_ca_file"),
        (TLS + CLIENTS.replace("RequireAndVerify", "RequireAny"), "client_auth_type: must be"),
        (TLS + "  client_allowed_sans: [a]\n", "client_allowed_sans: needs client_auth_type"),
        (TLS + "  cert: x\n", "one of cert and cert_file"),
        ("tls_server_config: {cert_file: server.pem}", "one of key and key_file"),
        (TLS + "  cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]\n", "is unknown or insecure"),
        (TLS + "  cipher_suites: [TLS_AES_128_GCM_SHA256]\n", "has none for TLS 1.2"),
        (TLS + "  curve_preferences: [X25519, CurveP256]\n", "curve_preferences"),
        ("http_server_config: {headers: {X-Powered-By: x}}", "'X-Powered-By' cannot be set"),
        ("http_server_config: {headers: {X-Frame-Options: all}}", "must be deny or sameorigin"),
        ('http_server_config: {headers: {X-XSS-Protection: "a\\r\\nb: c"}}', "no header may have"),
        ("basic_auth_users: {anna: geheim}", "not hashed with bcrypt"),
        ("basic_auth_users: {anna: $2b$99$" + "a" * 53 + "}", "not hashed with bcrypt"),
        (USERS.replace("anna", "an:na").replace("an:na:", '"an:na":'), "without a colon"),
        ("- a", "must be a mapping"),
        ("a: [", "line 2, column 1"),
        (TLS.replace("server.pem", "none.pem"), "none.pem and .*server.key: no certificate"),
        (TLS + CLIENTS.replace("ca.pem", "none.pem"), "none.pem: no CA certificate"),
        (TLS + CLIENTS.replace("ca.pem", "web.yml"), "web.yml: no CA certificate"),
    ],
)
def test_a_mistake_is_one_line_with_its_key(files: Files, text: str, mistake: str) -> None:
    http = files.write(text)
    with (
        pytest.raises(ListenError, match=f"^agent.http: .*{mistake}") as raised,
        Listening(http=http),
    ):
        pass
    assert "\n" not in str(raised.value)
    assert "geheim" not in str(raised.value), "a password that is not hashed"


def test_a_key_in_the_file_must_be_private(files: Files) -> None:
    http = files.write("tls_server_config:\n" + files.inline("cert", "key"))
    read_http_files(http)
    files.path.chmod(0o644)
    with pytest.raises(ValueError, match="others can read or change the key in it; chmod 0640"):
        read_http_files(http)


def test_a_file_that_is_missing_is_named() -> None:
    http = HttpSettings(listen=LISTEN, web_config_file="/nowhere/web.yml")
    with pytest.raises(ValueError, match=r"^/nowhere/web\.yml: cannot read it: No such file"):
        read_http_files(http)


@pytest.mark.skipif(not shutil.which("promtool"), reason="Prometheus is not installed")
def test_prometheus_reads_the_same_file(files: Files) -> None:
    headers = "http_server_config:\n  http2: true\n  headers:\n    X-Frame-Options: deny\n"
    text = TLS + CLIENTS + "  min_version: TLS12\n" + headers + USERS
    files.write(text)

    subprocess.run(["promtool", "check", "web-config", files.path], check=True, capture_output=True)
    assert read_web_config_file(files.path).tls_server_config
