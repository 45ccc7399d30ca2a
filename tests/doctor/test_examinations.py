"""What is found is in the order of importance, and every code belongs to one examination."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ldaphealth.doctor.examinations import (
    ELSEWHERE,
    EXAMINATIONS,
    examine,
    problems_in_order,
    status_of,
)
from ldaphealth.doctor.facts import ClusterFacts, LocalAgent
from ldaphealth.doctor.host_files import HostFile
from ldaphealth.doctor.keepalived_conf import KeepalivedConf, MiscCheck
from ldaphealth.doctor.problem import Importance
from ldaphealth.doctor.steps import STEPS
from ldaphealth.model import BindMethod, Credentials, Finding, Secret, State, Tls
from ldaphealth.reason_codes import REASON_CODES, ROWS
from ldaphealth.shard import Shard
from ldaphealth.text.result_words import is_result_code
from tests.doctor.facts_of import cluster_of, facts_of, finding, server


def codes(*findings: Finding) -> list[str]:
    cluster = ClusterFacts(cluster=cluster_of(4), findings=findings)
    return [each.code for each in problems_in_order(examine(facts_of(cluster)))]


def test_the_names_of_examinations_are_unique() -> None:
    assert len({each.name for each in EXAMINATIONS}) == len(EXAMINATIONS)


def test_what_breaks_checks_comes_first_and_then_the_order_of_the_table() -> None:
    found = codes(
        finding("certificate.expires", state=State.WARNING),
        finding("bind.password_expires", state=State.WARNING),
        finding("replication.behind"),
        finding("write.no_canary", state=State.UNKNOWN),
        finding("connect.certificate"),
        finding("search.noSuchObject"),
        finding("bind.invalidCredentials"),
        finding("connect.connect"),
    )

    assert found == [
        "connect.connect",
        "connect.certificate",
        "bind.invalidCredentials",
        "search.noSuchObject",
        "canaries.no_canary",
        "replication.behind",
        "bind.password_expires",
        "certificate.expires",
    ]


@pytest.mark.parametrize("row", REASON_CODES, ids=lambda row: row.code)
def test_each_code_of_a_finding_is_reported_once(row) -> None:  # type: ignore[no-untyped-def]
    state = next(iter(row.states))
    found = codes(finding(f"{(row.checks or ('search',))[0]}.{row.code}", state=state))

    assert len(found) == (state is not State.OK)


def test_codes_that_are_named_are_those_of_the_table() -> None:
    named = {*ELSEWHERE, *STEPS}

    assert {each for each in named if each not in ROWS and not is_result_code(each)} == set()


@pytest.mark.parametrize(
    ("states", "status"),
    [
        ([], 0),
        ([State.OK], 0),
        ([State.WARNING], 1),
        ([State.WARNING, State.CRITICAL], 2),
        ([State.UNKNOWN], 2),
    ],
)
def test_the_exit_status_is_that_of_the_worst(states: list[State], status: int) -> None:
    findings = tuple(finding("search.slow", n, each) for n, each in enumerate(states, 1))
    cluster = ClusterFacts(cluster=cluster_of(4), findings=findings)

    assert status_of(problems_in_order(examine(facts_of(cluster)))) == status


@pytest.mark.parametrize(
    ("servers", "what"),
    [
        ((1,), "not_connected of ldap1"),
        ((1, 1, 1), "not_connected of ldap1 (and 2 more there)"),
        ((1, 2, 1), "ldap1: not_connected of ldap1 (and 1 more there); likewise 1 more"),
    ],
)
def test_several_findings_on_a_server_are_counted(servers: tuple[int, ...], what: str) -> None:
    findings = tuple(finding("consumer.not_connected", number) for number in servers)
    cluster = ClusterFacts(cluster=cluster_of(2), findings=findings)

    (found,) = problems_in_order(examine(facts_of(cluster)))

    assert found.what == what


def test_servers_with_the_same_code_are_one_problem_with_the_steps_of_each() -> None:
    cluster = ClusterFacts(
        cluster=cluster_of(4), findings=tuple(finding("connect.connect", n) for n in (1, 2, 3))
    )

    (found,) = problems_in_order(examine(facts_of(cluster)))

    assert found.where == ("c/ldap1", "c/ldap2", "c/ldap3")
    assert found.what == "ldap1: connect of ldap1; likewise 2 more"
    assert {each.on for each in found.steps} == {("ldap1", "ldap2", "ldap3")}
    assert found.remedy.startswith("on ldap1, ldap2, ldap3: `systemctl status slapd`")


CHECK = MiscCheck(
    file="k.conf",
    line=7,
    script="/x/ldaphealth-check",
    server="c/ldap1",
    timeout_seconds=12,
    is_misc_dynamic=True,
    has_dynamic_option=True,
)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, None),
        ({"timeout_seconds": 11.0}, None),
        ({"timeout_seconds": 10.0}, "keepalived.timeout"),
        ({"timeout_seconds": None, "delay_loop_seconds": 5.0}, "keepalived.timeout"),
        ({"timeout_seconds": None, "delay_loop_seconds": 60.0}, None),
        ({"timeout_seconds": 5.0, "limit_seconds": 2.0}, None),
        ({"is_misc_dynamic": False}, "keepalived.dynamic"),
        ({"has_dynamic_option": False}, "keepalived.dynamic"),
        ({"has_dynamic_option": False, "is_misc_dynamic": False}, None),
        ({"server": "c/ldap9"}, "keepalived.unknown_server"),
        ({"server": ""}, "keepalived.unknown_server"),
    ],
)
def test_a_check_of_keepalived(change: dict[str, object], code: str | None) -> None:
    conf = KeepalivedConf(file="k.conf", checks=(replace(CHECK, **change),))
    facts = replace(facts_of(ClusterFacts(cluster=cluster_of(2))), keepalived=conf)

    found = problems_in_order(examine(facts))

    assert [each.code for each in found] == ([code] if code else [])
    assert {each.importance for each in found} <= {Importance.BREAKS}


def test_a_longer_deadline_needs_a_longer_timeout() -> None:
    cluster = replace(cluster_of(1), deadline_seconds=20)
    conf = KeepalivedConf(file="k.conf", checks=(CHECK,))
    facts = replace(facts_of(ClusterFacts(cluster=cluster)), keepalived=conf)

    (found,) = problems_in_order(examine(facts))

    assert found.steps[0].text == "sed -i '7s/misc_timeout.*/misc_timeout 27/' k.conf"


DIRECTORY = HostFile(
    path="/s", use="state", exists=True, is_directory=True, owner=7, owner_name="l", mode=0o750
)
RECORD = HostFile(path="/s/r", use="record", exists=True, owner=7, owner_name="l", mode=0o640)


@pytest.mark.parametrize(
    ("file", "change", "codes"),
    [
        (RECORD, {}, []),
        (RECORD, {"exists": False, "owner": -1}, []),
        (RECORD, {"owner": 0}, ["files.owner"]),
        (RECORD, {"mode": 0o666}, ["files.writable"]),
        (DIRECTORY, {"path": "/run/x", "use": "runtime", "owner": 0}, []),
        (DIRECTORY, {"path": "/run/x", "use": "runtime", "owner": 9}, ["files.owner"]),
        (DIRECTORY, {"path": "/run/x", "use": "runtime", "mode": 0o775}, ["files.writable"]),
        (RECORD, {"use": "key", "mode": 0o644}, ["files.readable"]),
        (RECORD, {"use": "key", "mode": 0o640, "owner": 0}, []),
        (RECORD, {"use": "password", "mode": 0o600}, []),
        (RECORD, {"use": "password", "mode": 0o600, "owner": 0}, ["files.unreadable"]),
        (RECORD, {"use": "password", "mode": 0o640, "owner": 0}, []),
        (RECORD, {"use": "damaged"}, ["files.damaged"]),
        (RECORD, {"problem": "Permission denied"}, ["files.unknown"]),
    ],
)
def test_a_file_of_this_host(file: HostFile, change: dict[str, object], codes: list[str]) -> None:
    none = LocalAgent(state="unknown")
    facts = facts_of(ClusterFacts(cluster=cluster_of(1)), agent=none)
    facts = replace(facts, files=(DIRECTORY, replace(file, **change)))

    found = [each.code for each in problems_in_order(examine(facts))]
    assert [each for each in found if not each.startswith("agent.")] == codes


RUN, STATE = "/run/ldaphealth", "/var/lib/ldaphealth"
SERVERS = frozenset({"c/ldap1"})


@pytest.mark.parametrize(
    ("agent", "code", "importance"),
    [
        (LocalAgent(state="answers", servers=SERVERS), None, None),
        (LocalAgent(state="answers", servers=SERVERS, holders={RUN: 5, STATE: 5}), None, None),
        (
            LocalAgent(state="answers", servers=SERVERS, holders={RUN: 5, STATE: 6}),
            "agent.two",
            Importance.BREAKS,
        ),
        (LocalAgent(state="none"), "agent.not_running", Importance.MEND),
        (LocalAgent(state="none", holders={STATE: 6}), "agent.two", Importance.BREAKS),
        (LocalAgent(state="unknown", detail="no right"), "agent.no_answer", Importance.MEND),
        (LocalAgent(state="unknown", holders={RUN: 5}), "agent.no_answer", Importance.MEND),
        (LocalAgent(state="unknown", holders={STATE: 5}), "agent.no_answer", Importance.MEND),
        (LocalAgent(state="answers"), "agent.other_configuration", Importance.BREAKS),
        (LocalAgent(state="answers", shards=(Shard(2, 2),)), None, None),  # c is of the first
        (
            LocalAgent(state="answers", shards=(Shard(1, 2),)),
            "agent.other_configuration",
            Importance.BREAKS,
        ),
        (
            LocalAgent(state="answers", servers=SERVERS | {"c/old"}),
            "agent.other_configuration",
            Importance.MEND,
        ),
    ],
)
def test_the_agent(agent: LocalAgent, code: str | None, importance: Importance | None) -> None:
    facts = facts_of(ClusterFacts(cluster=cluster_of(1)), agent=agent)

    found = problems_in_order(examine(facts))

    assert [(each.code, each.importance) for each in found] == (
        [(code, importance)] if code else []
    )


@pytest.mark.parametrize(
    ("uri", "start_tls", "codes"),
    [
        ("ldap://ldap1.test", None, ["cleartext.password"]),
        ("ldap://ldap1.test", True, []),
        ("ldap://ldap1.test", False, []),
        ("ldaps://ldap1.test", None, []),
        ("ldap://localhost", None, []),
    ],
)
def test_a_password_in_the_clear(uri: str, start_tls: bool | None, codes: list[str]) -> None:
    own = replace(
        server(1, uri),
        credentials=Credentials(BindMethod.SIMPLE, "cn=x", Secret("secret")),
        tls=Tls(start_tls=start_tls),
    )
    facts = facts_of(ClusterFacts(cluster=replace(cluster_of(1), servers=(own,))))

    found = problems_in_order(examine(facts))

    assert [each.code for each in found] == codes
    assert [each.what for each in found] == ["a password goes to ldap1 in the clear"] * len(codes)


def test_the_tokens_of_an_agent_that_runs_are_left_alone() -> None:
    cluster = ClusterFacts(cluster=cluster_of(1), not_surveyed={"propagation": "an agent runs"})

    shown = {each.examination.name: each.examined for each in examine(facts_of(cluster))}

    assert shown["findings"].covered.endswith("propagation was not run: an agent runs")
    assert shown["findings"].problems == ()
