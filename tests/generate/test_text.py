"""What is in the generated files: tables of configurations and the lines that they cause."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ldaphealth.generate.kinds import KINDS
from ldaphealth.generate.systemd import secret_files
from tests.generate.sites import LEAST, ODD, TRACKED, USUAL, site

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "generate.md").read_text(encoding="utf-8")
TEXTS = {each.name: each.text for each in KINDS}
SECTIONS = [
    (kind, block)
    for kind, section in re.findall(r"### (\S+)\n(.*?)(?=\n### |\Z)", DOCUMENT, re.DOTALL)
    for block in re.findall(r"```text\n(.*?)```", section, re.DOTALL)
]
NAMED = 'clusters: {c: {servers: {a: "ldap://a.example.com", b: "ldap://192.0.2.12"}}}'
BOTH = {"a.example.com": ("2001:db8::1", "192.0.2.1")}
SIX = {"virtual_addresses": {"c": "2001:db8::9"}}
SLOW = LEAST.replace("  c:\n", "  c:\n    deadline_seconds: 10.5\n    interval_seconds: 2.5\n")
SLOWEST = LEAST.replace("  c:\n", "  c:\n    deadline_seconds: 300\n")
BALANCER = """\
clusters:
  c:
    servers: {a: "ldap://192.0.2.11", v: {uri: "ldap://192.0.2.9", role: balancer}}
"""
LOW_PORT = 'agent: {http: {listen: "192.0.2.1:443"}}\n' + LEAST
SECRETS = """\
agent:
  http: {certificate_file: /etc/h.pem, key_file: /etc/h.key, token_file: /etc/token}
credentials: {probe: {dn: "cn=x", password_file: "/etc/pass word%"}}
clusters:
  c:
    credentials: probe
    servers: {a: "ldap://192.0.2.11", b: "ldap://192.0.2.12"}
"""


@pytest.mark.parametrize(("kind", "block"), SECTIONS)
def test_what_the_document_shows_comes_out(tmp_path: Path, kind: str, block: str) -> None:
    found = re.search(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)
    assert found

    assert block in TEXTS[kind](site(tmp_path, found[1]))


def test_the_document_has_every_kind() -> None:
    static = {"prometheus-rules", "grafana"}

    assert [
        each.name for each in KINDS if f"`ldaphealth generate {each.name}`" not in DOCUMENT
    ] == []
    assert {kind for kind, _ in SECTIONS} == set(TEXTS) - static


@pytest.mark.parametrize(
    ("kind", "configuration", "given", "expected"),
    [
        ("keepalived", USUAL, {}, "misc_timeout 12\n"),
        ("keepalived", SLOW, {}, "misc_timeout 18\n"),
        ("keepalived", SLOW, {}, '#   Environment="LDAPHEALTH_SECONDS=14"\n'),
        ("keepalived", SLOW, {}, "delay_loop 3\n"),
        ("keepalived", SLOWEST, {}, '#   Environment="LDAPHEALTH_SECONDS=300"\n'),
        ("keepalived", SLOWEST, {}, "misc_timeout 304\n"),
        ("keepalived", BALANCER, {}, "virtual_server 192.0.2.9 389 {\n"),
        ("keepalived", NAMED, {"addresses": BOTH}, "    # a.example.com had this address"),
        ("keepalived", NAMED, {"addresses": BOTH}, "    real_server 192.0.2.1 389 {\n"),
        ("keepalived", NAMED, {"addresses": BOTH} | SIX, "    real_server 2001:db8::1 389 {\n"),
        ("keepalived", NAMED, SIX, "# c/a is left out: a.example.com did not resolve;"),
        (
            "keepalived",
            ODD,
            {},
            'Environment="LDAPHEALTH_VERDICTS=/run/ldap health/$x;100%%/verdicts',
        ),
        ("keepalived", USUAL, {"program": Path("/x/ldaphealth")}, '"LDAPHEALTH=/x/ldaphealth"'),
        ("keepalived", TRACKED, {}, "file /run/ldaphealth/track/example/ldap2.fault\n"),
        ("haproxy", LEAST, {}, "# SET THIS: the agent does not answer HAProxy yet."),
        ("haproxy", LEAST, SIX, "    bind [2001:db8::9]:389\n"),
        ("haproxy", BALANCER, {}, "    bind 192.0.2.9:389\n"),
        ("haproxy", ODD, {}, "agent-addr 127.0.0.1 agent-port 8390"),
        ("haproxy", ODD, {}, "server A.b_c-d [2001:db8::12]:1389 weight 0 "),
        ("haproxy", ODD, {}, "verify none send-proxy-v2 check-send-proxy agent-send"),
        ("prometheus", LEAST, {}, "# SET THIS: the agent does not answer by HTTP yet."),
        ("prometheus", ODD, {}, 'targets: ["[::1]:8389"]'),
        ("nagios", ODD, {}, "--socket '/run/ldap health/$$x\\;100%/agent.sock' --cluster"),
        ("icinga", ODD, {}, '"--socket", "/run/ldap health/$$x;100%/agent.sock" ]'),
        ("systemd", ODD, {}, 'RuntimeDirectory="ldap health/$x;100%%"\n'),
        ("systemd", ODD, {}, "SupplementaryGroups=monitoring\n"),
        ("systemd", LOW_PORT, {}, "\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n"),
        ("systemd", USUAL, {"program": Path("/a b/$x%")}, 'ExecStart="/a b/$$x%%" agent '),
        (
            "systemd",
            USUAL,
            {"config_file": Path("/home/x.yaml")},
            "# SET THIS: the unit hides /home/",
        ),
    ],
)
def test_a_configuration_causes_a_line(
    tmp_path: Path, kind: str, configuration: str, given: dict[str, Any], expected: str
) -> None:
    assert expected in TEXTS[kind](site(tmp_path, configuration, **given))


def test_only_what_must_be_set_is_marked(tmp_path: Path) -> None:
    known = site(tmp_path, USUAL, virtual_addresses={"example": "192.0.2.10"})

    assert [name for name, text in TEXTS.items() if "SET THIS" in text(known)] == []


def test_with_the_usual_paths_the_unit_is_that_of_the_examples(tmp_path: Path) -> None:
    example = (ROOT / "examples" / "ldaphealth-agent.service").read_text()

    assert TEXTS["systemd"](site(tmp_path, USUAL)).partition("\n\n")[2] == example


def test_the_unit_of_shards_is_that_of_the_agent_as_a_template(tmp_path: Path) -> None:
    one, several = (TEXTS["systemd"](site(tmp_path, ODD, shards=each)) for each in (0, 4))
    others = [
        (before, after)
        for before, after in zip(
            one.partition("\n\n")[2].splitlines(),
            several.partition("\n\n")[2].splitlines(),
            strict=True,
        )
        if before != after
    ]

    assert [after.removeprefix(before) for before, after in others] == [
        ", shard %I",
        " --shard %I",
    ]
    assert "systemctl enable --now ldaphealth-shard@{1..4}-4 " in several


def test_the_package_makes_the_same_unit_of_shards(tmp_path: Path) -> None:
    """Debian's rules edit the unit of the agent with sed(1)."""
    rules = (ROOT / "debian" / "rules").read_text()
    (command,) = re.findall(r"^\tsed (-e '/\^Description.*?) \\$", rules, re.MULTILINE)
    unit = ROOT / "examples" / "ldaphealth-agent.service"
    made = subprocess.run(
        ["/bin/sh", "-c", f"sed {command.replace('$$', '$')} {unit}"],
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    ).stdout

    assert made == TEXTS["systemd"](site(tmp_path, USUAL, shards=4)).partition("\n\n")[2]


def test_the_files_with_secrets_are_named_each_once(tmp_path: Path) -> None:
    (tmp_path / "pass word%").write_text("secret")
    (tmp_path / "pass word%").chmod(0o600)
    found = site(tmp_path, SECRETS.replace("/etc/pass", f"{tmp_path}/pass"))
    text = TEXTS["systemd"](found)

    assert secret_files(found) == [f"{tmp_path}/pass word%", "/etc/token", "/etc/h.key"]
    assert f"-pass word%%:{tmp_path}/pass word%%\n" in text
    assert "#LoadCredential=etc-h.key:/etc/h.key\n" in text
    assert [name for name, each in TEXTS.items() if "secret" in each(found).split()] == []


@pytest.mark.parametrize(
    ("program", "scripts"),
    [
        ("/opt/ldaphealth/bin/ldaphealth", "/usr/local/libexec"),
        ("/usr/local/bin/ldaphealth", "/usr/local/libexec"),
        ("/usr/bin/ldaphealth", "/usr/libexec/ldaphealth"),  # of the Debian package
    ],
)
def test_keepalived_runs_the_scripts_of_the_installation(
    tmp_path: Path, program: str, scripts: str
) -> None:
    text = TEXTS["keepalived"](site(tmp_path, USUAL, program=Path(program)))

    assert text.count(f'misc_path "{scripts}/ldaphealth-check --dynamic ') == 2
    assert f"The scripts in {scripts} must be writable by root alone" in text


def test_files_that_keepalived_cannot_name_are_refused(tmp_path: Path) -> None:
    odd = TRACKED.replace("track_files", 'runtime_directory: "/run/a $b", track_files')

    with pytest.raises(ValueError, match=r"'/run/a \$b/track' cannot stand in keepalived.conf"):
        TEXTS["keepalived"](site(tmp_path, odd))


@pytest.mark.parametrize("path", ["/run/a'b", '/run/a"b', "/run/a\\b", "/run/a:b", "/run/a\nb"])
def test_a_directory_that_a_unit_cannot_name_is_refused(tmp_path: Path, path: str) -> None:
    text = f"agent: {{runtime_directory: {path!r}}}\n" if "\n" not in path else ""
    text = text or 'agent: {runtime_directory: "/run/a\\nb"}\n'

    with pytest.raises(ValueError, match="cannot stand in a unit of systemd"):
        TEXTS["systemd"](site(tmp_path, text.replace("\\\\", "\\") + LEAST))
