"""`ldaphealth setup`: its options, and what it prints for people."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from ldaphealth.cli.setup import setup_command

CONFIG = """\
credentials:
  probe: {{dn: "cn=ldaphealth,ou=services,dc=x", password_file: {password}}}
  web: {{dn: "cn=web,dc=x", password_env: NOT_SET}}
clusters:
  one:
    suffix: dc=x
    credentials: probe
    tls: {{start_tls: true, ca_file: /nowhere/ca.pem}}
    servers: {{a: "ldap://192.0.2.1", b: {{uri: "ldap://192.0.2.2", role: consumer}}}}
    checks:
      write: {{container: "ou=health,dc=x", agent: lb1}}
      web: {{check: search, base: "ou=web,dc=x", credentials: web}}
      wide: {{check: search, base: "ou=w,dc=x", scope: one, size_limit: 800}}
      content: {{cover_hours: 24, values: true}}
  two:
    suffix: dc=y
    servers: {{a: "ldap://192.0.2.3"}}
"""
SECRET = "not to be printed"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path, password = tmp_path / "ldaphealth.yaml", tmp_path / "password"
    password.touch(mode=0o600)
    password.write_text(SECRET)
    path.write_text(CONFIG.format(password=password))
    return path


def run(config: Path, *words: str) -> Result:
    return CliRunner().invoke(setup_command, ["--config", str(config), *words])


@pytest.mark.parametrize("form", ["cn=config", "slapd.conf", "389"])
@pytest.mark.parametrize("output", ["text", "json"])
def test_it_prints_no_password_and_needs_no_other_file(
    form: str, output: str, config: Path
) -> None:
    done = run(config, "--for", form, "--format", output)

    assert done.exit_code == 0, done.output
    assert SECRET not in done.output


def test_both_parts_are_ldif(config: Path) -> None:
    text = run(config, "one").output
    lines = [each for each in text.splitlines() if not each.startswith("#")]

    assert "cn=lb1 one/b,ou=health,dc=x" in text
    assert all(not each or ": " in each or each == "-" for each in lines)
    assert not any(each.startswith(" ") for each in lines)


def test_a_part_is_printed_alone(config: Path) -> None:
    entries = run(config, "one", "--part", "entries").output
    rules = run(config, "one", "--part", "rules").output

    assert "olcAccess:" not in entries
    assert "objectClass: " not in rules
    assert "dn: olcDatabase={1}mdb,cn=config\n" in rules
    assert "dn: olcDatabase={2}monitor,cn=config\n" in rules


def test_a_database_without_rules_is_warned_of_before_the_first_command(config: Path) -> None:
    text = " ".join(run(config, "one", "--part", "rules").output.replace("\n#", "").split())

    before, command, _ = text.partition("ldapmodify -Q -Y EXTERNAL -H ldapi:/// -f rules.ldif")
    assert command
    assert "without any rule lets everybody read everything" in before
    assert "`to * by * read` first" in before


def test_the_canaries_are_those_of_every_agent(config: Path) -> None:
    text = run(config, "one", "--part", "entries", "--agent", "lb7", "--agent", "lb8").output

    assert [each for each in text.splitlines() if each.startswith("dn: cn=lb")] == [
        f"dn: cn={agent} one/{server},ou=health,dc=x" for agent in ("lb7", "lb8") for server in "ab"
    ]


def test_databases_have_the_names_that_are_given(config: Path) -> None:
    named = ("--database", "dc=x={3}mdb", "--database", "CN=monitor={1}monitor")
    text = run(config, "one", "--part", "rules", *named).output

    assert "dn: olcDatabase={3}mdb,cn=config\n" in text
    assert "dn: olcDatabase={1}monitor,cn=config\n" in text
    assert "SET THIS" not in text


def test_limits_are_those_that_the_checks_need(config: Path) -> None:
    documents = json.loads(run(config, "--for", "slapd.conf", "--format", "json").output)
    lines = [line for each in documents[0]["rules"] for line in each["lines"]]

    assert [each for each in lines if each.startswith("limits")] == [
        'limits dn.exact="cn=ldaphealth,ou=services,dc=x" size=unlimited'
    ]


def test_the_accounts_of_others_get_nothing_unless_wanted(config: Path) -> None:
    usual = run(config, "one", "--part", "rules").output
    wanted = run(config, "one", "--part", "rules", "--all-accounts").output

    assert 'by dn.exact="cn=web,dc=x"' not in usual
    assert "web: it runs as cn=web,dc=x, and tries what that account may do" in " ".join(
        usual.replace("\n# ", " ").split()
    )
    assert 'by dn.exact="cn=web,dc=x" read' in wanted


def test_an_account_of_a_survey_is_for_ldaphealth_alone(config: Path) -> None:
    text = config.read_text()
    config.write_text(text.replace("content: {", "content: {credentials: web, "))
    printed = run(config, "one").output

    assert "dn: cn=web,dc=x" in printed
    assert 'to dn.base="cn=web,dc=x" attrs=userPassword by anonymous auth' in printed
    assert 'attrs=entry,entryUUID,entryCSN by dn.exact="cn=web,dc=x" read' in printed


def test_another_object_class_replaces_the_one_that_is_system_only(config: Path) -> None:
    text = run(config, "one", "--part", "entries", "--object-class", "device").output

    assert "objectClass: device" in text
    assert "applicationProcess" not in text


def test_the_names_of_clusters_are_completed(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LDAPHEALTH_CONFIG", str(config))
    context = click.Context(setup_command)
    (argument,) = (each for each in setup_command.params if each.name == "clusters")

    assert [each.value for each in argument.shell_complete(context, "t")] == ["two"]


def test_an_external_account_is_a_placeholder_unless_it_is_given(config: Path) -> None:
    text = config.read_text()
    config.write_text(text.replace("probe: {", "probe: {method: external}\n  old: {"))
    dn = "uid=0,cn=external,cn=auth"

    assert 'by dn.exact="cn=SET THIS to what' in run(config, "--part", "rules").output
    assert f'by dn.exact="{dn}" read' in run(config, "--part", "rules", "--account", dn).output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["oen"], "has no cluster 'oen'; did you mean one?"),
        (["--agent", "a b"], "--agent 'a b'"),
        (["--database", "dc=x"], "--database 'dc=x': not SUFFIX=NAME, such as 'dc=x={1}mdb'"),
        (["--object-class", "a b"], "--object-class 'a b'"),
        (["--account", "x"], "--account: 'x' is not a DN"),
    ],
)
def test_bad_input_is_named(words: list[str], message: str, config: Path) -> None:
    done = run(config, *words)

    assert done.exit_code == 2
    assert message in done.output
