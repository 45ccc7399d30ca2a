"""Servers that fail a part of what clients do are named by the agent, with the shape."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from demo import ports, tree, wait
from demo.cluster import Cluster
from demo.programs import slapd_for
from demo.running_program import RunningProgram
from demo.slapd import Slapd
from demo.tree import CHECK_DN, CHECK_PASSWORD, PEOPLE, ROOT_DN, SUFFIX
from tests.slapd.running_agent import PROGRAM, RunningAgent, environment_of, run_program
from tests.slapd.test_entry_count import adding_and_deleting

pytestmark = pytest.mark.slapd

HOST = "127.0.0.1"
PEOPLE_COUNT = 30_000
FOUND_SECONDS = 60.0
APPLICATION = f"ou=application,{SUFFIX}"
CONF = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload retcode
loglevel 0
database mdb
suffix {suffix}
directory {database}
maxsize 268435456
dbnosync
rootdn {root}
{index}
{hidden}
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{check}" read by anonymous auth by * none
overlay retcode
retcode-parent "ou=answers,{suffix}"
retcode-item "cn=report" {answer}
"""
WELL, BUSY = "0x00 op=search", "0x33 op=search"
INDEX = "index objectClass,uid,entryUUID,entryCSN eq"
USUAL = {"index": INDEX, "hidden": "", "answer": WELL}
# What is wrong at each server, and how many people it has.
SERVERS: Mapping[str, tuple[Mapping[str, str], int]] = {
    "well": (USUAL, PEOPLE_COUNT),
    "unindexed": (USUAL | {"index": "index objectClass,entryUUID,entryCSN eq"}, PEOPLE_COUNT),
    "hiding": (USUAL | {"hidden": f'access to dn.subtree="{APPLICATION}" by * none'}, PEOPLE_COUNT),
    "emptied": (USUAL, PEOPLE_COUNT * 6 // 10),
    "busy": (USUAL | {"answer": BUSY}, PEOPLE_COUNT),
}
WORKLOAD = f"""\
form: 1
operations: 100
sources:
  uid: {{attribute: uid, base: "{PEOPLE}"}}
  cn: {{attribute: cn, base: "{APPLICATION}"}}
  person: {{dn: "uid=*,{PEOPLE}"}}
shapes:
  - {{name: search-uid, operation: search, base: "{SUFFIX}", scope: sub, filter: "(uid={{uid}})",
     attributes: [cn, sn], count: 50, share: 0.5, results: {{0: 50}}, entries: {{1: 50}},
     seconds: {{0.001: 50}}}}
  - {{name: search-cn, operation: search, base: "{APPLICATION}", scope: one, filter: "(cn={{cn}})",
     count: 20, share: 0.2, results: {{0: 20}}, entries: {{1: 20}}}}
  - {{name: search-report, operation: search, base: "cn=report,ou=answers,{SUFFIX}", scope: base,
     filter: "(objectClass=*)", count: 15, share: 0.15, results: {{0: 15}}}}
  - {{name: compare-sn, operation: compare, base: "{{person}}", attribute: sn, value: "x",
     count: 15, share: 0.15, results: {{5: 15}}}}
"""
CONFIG = """\
agent: {{runtime_directory: "{directory}/run", state_directory: "{directory}/state"}}
credentials: {{probe: {{dn: "{dn}", password_file: "{directory}/password"}}}}
clusters:
  c:
    suffix: {suffix}
    credentials: probe
    interval_seconds: 1
    servers: {{{servers}}}
    checks:
      replication: off
      workload: {{file: "{directory}/workload.yaml", operations: 8, interval_seconds: 1}}
"""


def ldif(people: int) -> str:
    """Return the entries: people, the last ones missing, and those of one application."""
    entries = [tree.ldif(datetime.now(UTC))]
    entries.append(f"dn: {APPLICATION}\nobjectClass: organizationalUnit\nou: application\n")
    for number in range(50):
        cn = f"role{number}"
        entries.append(f"dn: cn={cn},{APPLICATION}\nobjectClass: organizationalRole\ncn: {cn}\n")
    # Those that are missing are everywhere among the others.
    kept = (each for each in range(PEOPLE_COUNT) if each % 10 < 10 * people // PEOPLE_COUNT)
    for number in kept:
        uid = f"p{number}"
        entries.append(
            f"dn: uid={uid},{PEOPLE}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: s\n"
        )
    return "\n".join(entries)


class Site:
    """The servers, and an agent that checks them; `findings` are on the check `workload`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environment = environment_of(directory)
        self.agent = RunningProgram([PROGRAM, "agent"], directory / "log", self.environment)
        self.findings: Mapping[tuple[str, str], str] = {}

    def run(self, *words: str) -> str:
        """Run the program; return what it prints."""
        return run_program(self.environment, *words).stdout

    def explain(self, server: str) -> dict[str, Any]:
        """Return what the agent says of one server."""
        found: dict[str, Any] = json.loads(self.run("explain", f"c/{server}", "--format", "json"))
        return found

    def read(self) -> Mapping[tuple[str, str], str]:
        """Return the summaries that are not OK, by server and code."""
        status = json.loads(self.run("status", "--format", "json") or '{"verdicts": []}')
        return {
            (verdict["server"].partition("/")[2], each["code"]): each["summary"]
            for verdict in status["verdicts"]
            for each in verdict["findings"]
            if each["check"] == "workload" and each["state"] != "OK"
        }


EXPECTED = {
    ("unindexed", "slower_than_pool"),
    ("hiding", "results"),
    ("emptied", "entries"),
    ("busy", "results"),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return the servers after the agent has found what it can, in a minute at most."""
    directory = tmp_path_factory.mktemp("w")
    reserved = ports.reserve(len(SERVERS), (HOST,))
    site = Site(directory)
    uris = {
        name: f"ldap://{HOST}:{port}" for name, port in zip(SERVERS, reserved.ports, strict=True)
    }
    with ExitStack() as running:
        running.callback(reserved.release)
        for name, (conf, people) in SERVERS.items():
            slapd = Slapd(slapd_for(directory), directory / name, (uris[name],))
            common = {"suffix": SUFFIX, "database": slapd.database, "root": ROOT_DN}
            slapd.load(CONF.format(**common, check=CHECK_DN, **conf), ldif(people))
            running.callback(slapd.kill)
            slapd.start()
        (directory / "password").touch(mode=0o600)
        (directory / "password").write_text(CHECK_PASSWORD)
        (directory / "workload.yaml").write_text(WORKLOAD)
        servers = ", ".join(f"{name}: '{uri}'" for name, uri in uris.items())
        config = CONFIG.format(directory=directory, dn=CHECK_DN, suffix=SUFFIX, servers=servers)
        (directory / "ldaphealth.yaml").write_text(config)
        running.enter_context(site.agent)

        def is_found() -> bool:
            site.findings = site.read()
            return site.findings.keys() >= EXPECTED

        try:
            wait.until(is_found, FOUND_SECONDS, "not all is found")
        except TimeoutError:
            print(site.agent.log())  # noqa: T201  the tests show what is missing
        yield site


def test_a_server_that_lost_the_index_of_uid_is_named_by_its_times(site: Site) -> None:
    summary = site.findings["unindexed", "slower_than_pool"]

    assert "the shape search-uid (search 'dc=example,dc=com' sub (uid={uid}))" in summary
    assert "at the median of the other servers" in summary


def test_a_server_that_hides_the_subtree_of_one_application_is_named(site: Site) -> None:
    summary = site.findings["hiding", "results"]

    assert "the shape search-cn " in summary
    assert "such as noSuchObject in place of success" in summary


def test_a_server_that_lost_40_percent_of_its_entries_is_named(site: Site) -> None:
    summary = site.findings["emptied", "entries"]

    assert "the shape search-uid " in summary
    assert "such as 0 entries in place of 1" in summary


def test_a_server_that_answers_one_shape_with_busy_is_named(site: Site) -> None:
    summary = site.findings["busy", "results"]

    assert "the shape search-report " in summary
    assert "such as busy in place of success" in summary


def test_no_other_server_is_accused(site: Site) -> None:
    accused = {(server, code) for server, code in site.findings if code != "unlike_learnt"}
    also = {
        ("emptied", "results"),
        ("unindexed", "slower_than_learnt"),
    }  # the latter on a slow host

    assert accused - also == EXPECTED


def test_an_operation_can_be_repeated_by_hand(site: Site) -> None:
    (facts,) = [
        each["facts"] for each in site.explain("emptied")["seen"] if each["check"] == "workload"
    ]
    command = facts["by_hand"]["search-uid"]

    assert command.startswith(f"ldapsearch -x -D {CHECK_DN} -W -H ldap://{HOST}:")
    assert "(uid=" in command
    assert "workload search-uid: ldapsearch -x -D" in site.run("explain", "c/emptied")


STEADY = f"""\
form: 1
operations: 30
sources: {{uid: {{attribute: uid, base: "{PEOPLE}"}}}}
shapes:
  - {{name: search-uid, operation: search, base: "{SUFFIX}", scope: sub, filter: "(uid={{uid}})",
     count: 20, share: 0.67, results: {{0: 20}}, entries: {{1: 20}}}}
  - {{name: search-all, operation: search, base: "{PEOPLE}", scope: sub, filter: "(objectClass=*)",
     count: 10, share: 0.33, results: {{0: 10}}, entries: {{64: 10}}}}
"""
WATCHED_SECONDS = 15.0


def test_servers_whose_entries_come_and_go_are_not_said_to_have_lost_some(
    cluster: Cluster, tmp_path: Path
) -> None:
    (tmp_path / "workload.yaml").write_text(STEADY)
    check = f"workload: {{file: {tmp_path}/workload.yaml, operations: 8, interval_seconds: 0.5}}"
    found: dict[str, set[str]] = {}
    with (
        RunningAgent(cluster, tmp_path, more_checks=check) as agent,
        adding_and_deleting(*cluster.nodes),
    ):
        until = time.monotonic() + WATCHED_SECONDS
        while time.monotonic() < until:
            for verdict in agent.status()["verdicts"]:
                codes = {
                    each["code"] for each in verdict["findings"] if each["check"] == "workload"
                }
                found.setdefault(verdict["server"], set()).update(codes)

    assert not {code for codes in found.values() for code in codes} & {"entries", "results"}, found


def test_no_value_is_in_findings_files_and_logs(site: Site) -> None:
    status = site.run("status", "--format", "json")
    written = [
        path
        for path in (site.directory / "run", site.directory / "state")
        for path in path.rglob("*")
    ]
    texts = [path.read_bytes() for path in written if path.is_file()]

    for text in (status.encode(), site.agent.log().encode(), *texts):
        assert b"uid=p" not in text
        assert b"role1" not in text
