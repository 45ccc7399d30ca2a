"""The report is for 80 columns, and nothing that a server says becomes a command."""

from __future__ import annotations

import json
import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ldaphealth.doctor.examinations import examine, problems_in_order
from ldaphealth.doctor.facts import ClusterFacts
from ldaphealth.doctor.problem import Importance, Problem, Step, joined
from ldaphealth.doctor.report import fix_script, report_document, report_text
from ldaphealth.doctor.steps import command
from ldaphealth.model import BindMethod, Credentials, Tls
from tests.doctor.facts_of import cluster_of, facts_of, finding

LDIF = "dn: olcDatabase={1}mdb,cn=config\nchangetype: modify\nadd: olcAccess\nolcAccess: " + (
    'to dn.base="dc=x" by dn.exact="cn=a b,dc=example,dc=com" read by * break ' * 3
)
PROBLEM = Problem(
    importance=Importance.BREAKS,
    code="a.b",
    where=("c/ldap1",),
    what="something " * 30,
    why="a reason",
    remedy="a remedy",
    steps=(
        Step("command", command("ldapsearch", "-b", "ou=a b,dc=x", *["-o", "word"] * 20)),
        Step("command", "systemctl status slapd", ("ldap1", "ldap2")),
        Step("setting", "deadline_seconds: 8"),
        Step("ldif", LDIF, ("ldap://ldap1", "ldap://ldap2")),
    ),
)


def results(problem: Problem = PROBLEM):  # type: ignore[no-untyped-def]
    (first, *rest) = examine(facts_of(ClusterFacts(cluster=cluster_of(2))))
    return [replace(first, examined=replace(first.examined, problems=(problem,))), *rest]


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_is_longer_than_the_terminal(width: int) -> None:
    lines = report_text(results(), width).splitlines()

    assert max(map(len, lines)) <= max(width, 46)  # one word of LDIF is not broken


def test_a_command_in_several_lines_is_the_same_for_a_shell() -> None:
    shown = report_text(results(), 80).partition("        $ ")[2].partition("        on ldap1")[0]

    assert "\\\n" in shown
    assert shlex.split(shown.replace("\\\n", " ")) == shlex.split(PROBLEM.steps[0].text)


def test_what_is_for_other_hosts_is_named_and_in_the_script_a_comment() -> None:
    text, script = report_text(results(), 80), fix_script([PROBLEM])
    head, _, _ = text.partition("[breaks] a.b: c/ldap1\n")

    assert "LDIF is indented here" in head
    assert (
        "        as root on ldap://ldap1, ldap://ldap2:\n        $ ldapmodify -Q -Y EXTERNAL"
        in text
    )
    assert "\n# 1. [breaks] a.b: c/ldap1\n" in script

    assert "        on ldap1, ldap2: $ systemctl status slapd\n" in text
    assert "\n# on ldap1, ldap2: systemctl status slapd\n" in script
    assert "\n# in the configuration: deadline_seconds: 8\n" in script
    assert "\nfor uri in ldap://ldap1 ldap://ldap2; do\nldapmodify $LDAP_ADMIN -H" in script
    assert f"\n{LDIF}\nLDIF\ndone" in script
    assert subprocess.run(["/bin/sh", "-n"], input=script, text=True, check=False).returncode == 0


def test_what_stands_for_options_is_explained_before_its_first_use() -> None:
    step = Step("command", 'ldapadd -x -D "$ADMIN_DN" -W -H ldap://ldap1')
    text = report_text(results(replace(PROBLEM, steps=(step,))), 80)

    assert text.startswith("$ADMIN_DN in a command stands for the DN of an administrator")
    assert text.count("$ADMIN_DN") == 2
    assert "LDIF is indented" not in text
    assert "1 problem: 1 [breaks]." in text


def script_of(*codes: str, start_tls: bool) -> str:
    cluster = cluster_of(1)
    server = replace(cluster.servers[0], tls=Tls(start_tls=start_tls))
    found = ClusterFacts(
        cluster=replace(cluster, servers=(server,)), findings=tuple(map(finding, codes))
    )
    return fix_script(problems_in_order(examine(facts_of(found))))


@pytest.mark.parametrize("start_tls", [True, False])
def test_each_administrator_is_set_once_and_starts_tls_as_the_servers_do(start_tls: bool) -> None:
    script = script_of("write.no_canary", start_tls=start_tls)
    ldif = fix_script([replace(PROBLEM, steps=(Step("ldif", LDIF, ("ldap://a",), start_tls),))] * 2)

    assert script.count("\nADMIN_DN=${ADMIN_DN:?") == 1
    assert "LDAP_ADMIN" not in script
    assert ("ldapadd -x -ZZ -H" in script) is start_tls
    assert ldif.count("\nLDAP_ADMIN=${LDAP_ADMIN:--x -D cn=admin,cn=config -W}") == 1
    assert "ADMIN_DN" not in ldif
    assert ("ldapmodify -ZZ $LDAP_ADMIN" in ldif) is start_tls


def test_no_administrator_is_set_that_no_step_needs() -> None:
    script = script_of("connect.connect", start_tls=True)

    assert "ADMIN" not in script


def test_the_document_has_every_problem_and_every_examination() -> None:
    document = json.loads(json.dumps(report_document(results())))

    assert document["exit_status"] == 2
    assert document["problems"][0]["examination"] == "reach"
    assert document["problems"][0]["importance"] == "breaks"
    assert document["problems"][0]["steps"][1] == {
        "kind": "command",
        "text": "systemctl status slapd",
        "on": ["ldap1", "ldap2"],
        "starts_tls": False,
    }
    assert len(document["examinations"]) == len(results())


def test_nothing_wrong_is_said_in_words() -> None:
    found = examine(facts_of(ClusterFacts(cluster=cluster_of(2))))

    assert report_text(found, 80).endswith("\nNothing is wrong.")
    assert fix_script([]).startswith("#!/bin/sh\n# ")


def test_many_servers_are_counted() -> None:
    many = replace(PROBLEM, where=tuple(f"c/ldap{n}" for n in range(1000)))

    assert "c/ldap7 and 992 more" in report_text(results(many), 80)


HOSTILE = st.text(max_size=80) | st.sampled_from(
    [
        "x\n; rm -rf /",
        "$(reboot)",
        "`reboot`",
        "'\nreboot",
        "\u2028reboot",
        "\rreboot",
        "LDIF\nreboot",
    ]
)


@given(HOSTILE)
def test_text_of_a_server_is_a_comment(text: str) -> None:
    cluster = cluster_of(1)
    found = replace(finding("search.noSuchObject"), summary=text)
    facts = facts_of(ClusterFacts(cluster=cluster, findings=(found,)))

    script = fix_script(problems_in_order(examine(facts)))

    lines = [each for each in script.splitlines() if each and not each.startswith("#")]
    assert [each for each in lines if not each.startswith("ldapsearch ")] == []


@given(HOSTILE)
def test_text_of_the_configuration_is_quoted(text: str) -> None:
    credentials = Credentials(BindMethod.SIMPLE, f"cn={text}", password_file=f"/etc/{text}")
    cluster = cluster_of(1)
    cluster = replace(cluster, servers=(replace(cluster.servers[0], credentials=credentials),))
    found = finding("bind.invalidCredentials")

    script = fix_script(
        problems_in_order(examine(facts_of(ClusterFacts(cluster=cluster, findings=(found,)))))
    )

    (line,) = [each for each in script.splitlines() if each and not each.startswith("#")]
    words = shlex.split(line)
    assert words[0] == "ldapwhoami"
    assert words[words.index("-D") + 2] == "-y"


def test_steps_are_joined_by_what_they_do() -> None:
    steps = [Step("command", "a", ("x",)), Step("command", "b"), Step("command", "a", ("y", "x"))]

    assert joined(steps) == (Step("command", "a", ("x", "y")), Step("command", "b"))
