"""The real programs accept what is generated for them, and reject it once it is broken."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from demo.programs import find
from ldaphealth.generate.kinds import KINDS
from tests.generate.sites import SITES, USUAL, site
from tests.keepalived.test_example import config_test
from tests.monitoring import test_icinga, test_nagios
from tests.prometheus.test_examples import promtool

Checker = Callable[[Path, str], tuple[int, str]]
TEXTS = {each.name: each.text for each in KINDS}
MOST_SECONDS = 60
HTTPS = """\
agent:
  http:
    certificate_file: /etc/ldaphealth/http.pem
    client_ca_file: /etc/ldaphealth/ca.pem
    user: 'o"dd \\name'
    password_file: /etc/ldaphealth/password
clusters: {c: {servers: {a: "ldap://192.0.2.11"}}}
"""
TOKEN = re.sub("    user: .*\n", "", HTTPS).replace("password_file", "token_file")
WEB_CONFIG = """\
agent: {http: {web_config_file: /etc/ldaphealth/web.yml}}
clusters: {c: {servers: {a: "ldap://192.0.2.11"}}}
"""


def run(*command: str | Path) -> tuple[int, str]:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=MOST_SECONDS, check=False
    )
    return done.returncode, done.stdout + done.stderr


def by_keepalived(directory: Path, text: str) -> tuple[int, str]:
    # A vrrp_script must be there for this test; a MISC_CHECK's need not.
    text = text.replace("/usr/local/libexec/ldaphealth-fit", "/bin/true")
    return config_test(directory / "keepalived.conf", text)


def by_haproxy(directory: Path, text: str) -> tuple[int, str]:
    path = directory / "haproxy.cfg"
    path.write_text(text)
    return run(find("haproxy", "haproxy"), "-c", "-f", path)


def by_promtool(directory: Path, text: str) -> tuple[int, str]:
    """Check it with the rules that it names, and with the files that must be set."""
    secret = directory / "secret"
    secret.write_text("secret")
    for name in ("ca.pem", "client.pem", "client.key", "token", "password"):
        text = text.replace(f"/etc/prometheus/ldaphealth-{name}", str(secret))
    rules = TEXTS["prometheus-rules"](site(directory, USUAL))
    (directory / "ldaphealth.rules.yml").write_text(rules)
    (directory / "prometheus.yml").write_text(text)
    return promtool("check", "config", directory / "prometheus.yml")


def by_promtool_alone(directory: Path, text: str) -> tuple[int, str]:
    (directory / "rules.yml").write_text(text)
    return promtool("check", "rules", directory / "rules.yml")


def by_json(_: Path, text: str) -> tuple[int, str]:
    """Grafana has no checker without a server; tests/prometheus has the rest of the dashboard."""
    return int(json.loads(text)["uid"] != "ldaphealth"), ""


def by_icinga(directory: Path, text: str) -> tuple[int, str]:
    status, said = test_icinga.validated(test_icinga.configured(directory, text))
    return max(status, "warning/" in said), said


def by_nagios(directory: Path, text: str) -> tuple[int, str]:
    """Check the objects. Debian's generic-host has no contacts, about which Nagios warns."""
    status, said = test_nagios.verified(test_nagios.configured(directory, text))
    return status + said.count("Warning: Service"), said


def by_systemd(
    directory: Path, text: str, name: str = "ldaphealth-agent.service"
) -> tuple[int, str]:
    """Check the unit; the program must be there, and that of the text is not."""
    path = directory / name
    path.write_text(text.replace("=/opt/ldaphealth/bin/ldaphealth ", "=/bin/true "))
    status, said = run(find("systemd-analyze", "systemd"), "verify", path)
    return max(status, str(path) in said), said


CHECKERS: dict[str, Checker] = {
    "keepalived": by_keepalived,
    "haproxy": by_haproxy,
    "prometheus": by_promtool,
    "prometheus-rules": by_promtool_alone,
    "grafana": by_json,
    "icinga": by_icinga,
    "nagios": by_nagios,
    "systemd": by_systemd,
}


def test_every_kind_is_checked() -> None:
    assert [*CHECKERS] == [each.name for each in KINDS]


@pytest.mark.parametrize("configuration", SITES)
@pytest.mark.parametrize("kind", CHECKERS)
def test_the_program_accepts_it(tmp_path: Path, kind: str, configuration: str) -> None:
    text = TEXTS[kind](site(tmp_path, SITES[configuration]))
    status, said = CHECKERS[kind](tmp_path, text)

    assert status == 0, f"{said}\n{text}"


@pytest.mark.parametrize("configuration", SITES)
def test_keepalived_accepts_it_with_addresses_for_a_pair(
    tmp_path: Path, configuration: str
) -> None:
    pair = site(
        tmp_path, SITES[configuration], interface="eth0", virtual_addresses={"example": "192.0.2.9"}
    )
    text = TEXTS["keepalived"](pair)

    assert by_keepalived(tmp_path, text) == (0, ""), text
    assert "interface eth0\n" in text


@pytest.mark.parametrize("configuration", SITES)
def test_systemd_accepts_the_unit_of_shards(tmp_path: Path, configuration: str) -> None:
    text = TEXTS["systemd"](site(tmp_path, SITES[configuration], shards=4))
    instance = tmp_path / "ldaphealth-shard@2-4.service"

    assert by_systemd(tmp_path, text, instance.name) == (0, ""), text


@pytest.mark.skipif(not shutil.which("systemd-escape"), reason="systemd is not installed")
@pytest.mark.parametrize("shard", ["1/2", "2/4", "16/16"])
def test_systemd_unescapes_the_name_of_an_instance_to_its_shard(shard: str) -> None:
    """`%I` is the unescaped name."""
    name = shard.replace("/", "-")
    said = subprocess.run(
        ["systemd-escape", "--unescape", name],
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    ).stdout

    assert said.strip() == shard


@pytest.mark.parametrize("configuration", [HTTPS, TOKEN, WEB_CONFIG])
def test_prometheus_accepts_tls_and_credentials(tmp_path: Path, configuration: str) -> None:
    text = TEXTS["prometheus"](site(tmp_path, configuration))
    status, said = by_promtool(tmp_path, text)

    assert status == 0, f"{said}\n{text}"


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("keepalived", "misc_timeout", "misc_timeut"),
        ("haproxy", "agent-send", "agent-sent"),
        ("prometheus", "static_configs", "static_config"),
        ("prometheus-rules", "unless on", "unles on"),
        ("icinga", 'check_command = "ldaphealth_verdict"', 'check_command = "other"'),
        ("nagios", "command_name    ldaphealth_verdict\n", "command_name    other\n"),
        ("systemd", "WatchdogSec=30", "WatchdogSecs=30"),
    ],
)
def test_the_program_would_say_what_is_wrong(
    tmp_path: Path, kind: str, right: str, wrong: str
) -> None:
    text = TEXTS[kind](site(tmp_path, USUAL))

    assert right in text
    assert CHECKERS[kind](tmp_path, text.replace(right, wrong))[0] != 0
