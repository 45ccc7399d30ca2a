"""Every template of the reason table is filled for a configured server, and the commands are real.

What the programs accept is shown by the programs: ldap-utils parse their options before they
connect, and `ldaphealth` with `--help` behind the arguments.
"""

from __future__ import annotations

import re
import shlex
import shutil
import string
import subprocess
from pathlib import Path

import pytest
from click import Command, Group
from msgspec.structs import fields

from ldaphealth.checks import BUILT_IN
from ldaphealth.cli.commands import cli
from ldaphealth.model import BindMethod, Credentials, Finding, Role, Server, State, Tls
from ldaphealth.reason_codes import REASON_CODES, RESULT_CODE, ReasonCode
from ldaphealth.remedies import VALUES, ldap_connection, remedies_of, remedy_for, values_of
from ldaphealth.settings import Cluster, ConfiguredCheck
from ldaphealth.text.command_template import READABLE, with_values
from tests.checks.seen import planned
from tests.checks.seen import server as any_server

DN = "cn=ldaphealth check,ou=services,dc=example,dc=com"
ACCOUNT = Credentials(BindMethod.SIMPLE, DN, password_file="/etc/ldaphealth/it's.password")
USER = Credentials(BindMethod.SIMPLE, "uid=monitor,dc=example,dc=com", password_file="/etc/user")
LOGIN = BUILT_IN["login"]
FILTER = "(&(uid=monitor)(objectClass=*))"
COMMAND = re.compile(r"`([^`]+)`")
STARTS_TLS = Tls(start_tls=True)
LDAP_PROGRAMS = ("ldapsearch", "ldapwhoami", "ldappasswd", "ldapcompare", "ldapadd", "ldapmodify")
EVERY = [*REASON_CODES, RESULT_CODE]


def has_defaults(check: str) -> bool:
    return not any(each.required for each in fields(BUILT_IN[check].params))


def cluster(
    credentials: Credentials = ACCOUNT, tls: Tls = STARTS_TLS, **settings: object
) -> Cluster:
    servers = tuple(
        Server(
            cluster="example",
            name=name,
            uri=f"ldap://{name}.example",
            suffix="dc=example,dc=com",
            credentials=credentials,
            tls=tls,
            role=role,
        )
        for name, role in (("ldap1", Role.PROVIDER), ("ldap2", Role.CONSUMER))
    )
    params = LOGIN.params(filter=FILTER, group="cn=staff,dc=example,dc=com")
    login = ConfiguredCheck(LOGIN, params, LOGIN.effect, credentials=USER)
    checks = (*(planned(each) for each in BUILT_IN if has_defaults(each)), login)
    found = Cluster(name="example", servers=servers, checks=checks, min_in_service=1)
    return Cluster(**{each: getattr(found, each) for each in found.__struct_fields__} | settings)


def remedy(code: str, of: Cluster, server: int = 0, check: str = "bind") -> str:
    row = next(each for each in EVERY if each.code == code)
    return with_values(row.template, values_of(of, of.servers[server], check))


def commands_of(text: str) -> list[str]:
    """Return what stands in backquotes and begins with a program that is run here."""
    programs = (*LDAP_PROGRAMS, "ldaphealth", "for", "LDAP", "printf")
    return [each for each in COMMAND.findall(text) if each.startswith(programs) and " " in each]


def test_all_placeholders_have_a_value_and_a_readable_name() -> None:
    assert {*VALUES} == {*READABLE}


def test_each_placeholder_is_used() -> None:
    used = set()
    for row in EVERY:
        for _, name, spec, _ in string.Formatter().parse(row.template):
            inner = string.Formatter().parse(spec or "")
            used |= {name, *(each for _, each, _, _ in inner)}

    assert used - {None} == {*VALUES}


@pytest.mark.parametrize("row", EVERY, ids=lambda each: each.code)
@pytest.mark.parametrize("server", [0, 1])
@pytest.mark.parametrize(
    "credentials",
    [ACCOUNT, Credentials(), Credentials(BindMethod.EXTERNAL)],
    ids=lambda each: each.method.value,
)
def test_no_word_for_a_value_is_left(
    row: ReasonCode, server: int, credentials: Credentials
) -> None:
    check = (row.checks or ("search",))[0]
    found = cluster(credentials)
    text = with_values(row.template, values_of(found, found.servers[server], check))

    for command in COMMAND.findall(text):
        assert not re.search(
            r"\b(URI|DN|FILE|HOST|PORT|CLUSTER|SERVER|BASE|SUFFIX|FILTER)\b", command
        )
    before, quoted, _ = text.partition('"$ADMIN_DN"')
    assert (
        not quoted
        or "an administrator, whose DN is in $ADMIN_DN" in before
        or ("an administrator adds it, whose DN is in $ADMIN_DN" in before)
    )


@pytest.mark.parametrize("row", EVERY, ids=lambda each: each.code)
def test_the_words_of_a_template_are_readable(row: ReasonCode) -> None:
    assert "{" not in row.remedy.replace("{start_tls: true}", "").replace("{NAME: off}", "")


def commands() -> list[str]:
    found = cluster(tls=Tls(start_tls=True, ca_file="/etc/ssl/our ca.pem"))
    return sorted(
        {
            command
            for row in EVERY
            for check in row.checks or ("search",)
            for command in commands_of(
                with_values(row.template, values_of(found, found.servers[0], check))
            )
        }
    )


@pytest.mark.parametrize("command", commands())
def test_a_shell_parses_each_command(command: str) -> None:
    done = subprocess.run(["sh", "-n", "-c", command], capture_output=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr


def words_of(command: str) -> list[str]:
    """Return the words of a command, without the variables before it."""
    words = shlex.split(command)
    while "=" in words[0]:
        words = words[1:]
    return words


@pytest.mark.parametrize(
    "command", [each for each in commands() if "ldaphealth " in each.partition(" -")[0]]
)
def test_ldaphealth_accepts_its_commands(command: str) -> None:
    for part in command.split(" | ")[:1]:
        words = words_of(part)[1:]
        program: Command = cli
        while isinstance(program, Group):
            found = program.get_command(
                program.make_context("x", [], resilient_parsing=True), words[0]
            )
            assert found is not None, words
            program, words = found, words[1:]
        program.make_context(program.name or "", [*words], resilient_parsing=False)


def ldap_utils() -> list[str]:
    parts = [part for each in commands() for part in each.split(" | ")]
    inner = [re.sub(r"^for uri in \S+.*?; do (.*); done$", r"\1", each) for each in parts]
    return sorted(
        {
            each
            for each in inner
            if re.search(r"\bldap(search|whoami|passwd|compare|add)\b", each)
            and "ldaphealth " not in each
        }
    )


@pytest.mark.parametrize("command", ldap_utils())
def test_ldap_utils_accept_their_commands(command: str, tmp_path: Path) -> None:
    """Nothing listens there: an option that is wrong is an error of usage, before any connect."""
    if shutil.which(words_of(command)[0]) is None:
        pytest.skip("ldap-utils are not installed")
    password = tmp_path / "password"
    password.write_text("secret")
    runnable = re.sub(r"-H \S+", "-H ldap://127.0.0.1:1", command)
    runnable = re.sub(r"-y ('[^']*'(\"'\"'[^']*')*|\S+)", f"-y {password}", runnable)
    runnable = re.sub(r" -W\b", f" -y {password}", runnable).replace(" -S", " -s other")
    done = subprocess.run(
        ["sh", "-c", runnable],
        env={"PATH": "/usr/bin:/bin", "ADMIN_DN": "cn=admin", "CODE": "51", "LDAPNOINIT": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert "usage" not in done.stderr.lower(), done.stderr
    assert "Can't contact LDAP server" in done.stderr, done.stderr


def test_the_account_is_that_of_the_check_with_its_password_file() -> None:
    found = cluster()

    assert remedy("invalidCredentials", found).startswith(
        "`ldapwhoami -x -ZZ -H ldap://ldap1.example -D "
        "'cn=ldaphealth check,ou=services,dc=example,dc=com' "
        "-y '/etc/ldaphealth/it'\"'\"'s.password' -e ppolicy`"
    )
    assert "-D uid=monitor,dc=example,dc=com -y /etc/user" in remedy(
        "invalidCredentials", found, check="login"
    )


def test_an_entry_is_added_where_it_can_be() -> None:
    assert '-H ldap://ldap1.example -D "$ADMIN_DN" -W' in remedy("no_canary", cluster(), server=1)


def test_without_start_tls_no_command_has_it() -> None:
    plain = cluster(tls=Tls(start_tls=False))

    assert all("-ZZ" not in remedy(row.code, plain) for row in EVERY)


def test_a_configuration_that_is_not_the_usual_one_is_named() -> None:
    found = cluster(config_file="/srv/it's/l.yaml")

    assert "`LDAPHEALTH_CONFIG='/srv/it'\"'\"'s/l.yaml' ldaphealth csn watch example`" in remedy(
        "behind", found
    )


def test_a_loop_is_over_servers_with_the_same_account() -> None:
    found = cluster()

    assert "for uri in ldap://ldap2.example; do" in remedy("isolated", found)
    assert "for uri in ldap://ldap1.example ldap://ldap2.example; do" in remedy("split", found)


def test_findings_that_are_well_or_of_other_packages_have_none() -> None:
    found = cluster()
    fine = Finding(server="example/ldap1", check="bind", state=State.OK, code="ok", summary="")
    theirs = Finding(
        server="example/ldap1", check="theirs", state=State.CRITICAL, code="broken", summary=""
    )

    assert remedies_of(found, found.servers[0], [fine]) == {}
    assert remedy_for(found, found.servers, theirs) == ""


def test_a_user_that_is_found_by_a_search_has_no_empty_name_in_a_command() -> None:
    found = Credentials(method=BindMethod.SIMPLE, dn="", password_file="/etc/user")

    command = format(ldap_connection(any_server("a"), found), "ldapwhoami")

    assert command.endswith(" -D DN -y /etc/user")
