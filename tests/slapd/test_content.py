"""`ldaphealth content diff` beside a real cluster: what only slapd's own tools can break is found.

The databases are changed behind the servers' backs, so this module has a cluster of its own.
"""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from demo import wait
from demo.cluster import Cluster
from demo.node import DATABASE, Node
from demo.tree import CANARIES, CHECK_DN, CHECK_PASSWORD, ROOT_DN, SUFFIX, person
from ldaphealth.checks.content import Params, survey
from ldaphealth.content.progress import ComparisonProgress
from ldaphealth.content.resume_file import ComparedContents, load_progress, save_progress
from ldaphealth.content.slices import Cursor
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.ldap.session import open_session
from ldaphealth.model import BindMethod, Credentials, Secret, Server
from ldaphealth.survey import SurveyContext, SurveyResult
from tests.slapd.running_agent import PROGRAM, RunningAgent

pytestmark = pytest.mark.slapd

ENTRIES = 25
ENTRY = """\
dn: {dn}
objectClass: inetOrgPerson
uid: {uid}
cn: Another
sn: Another
entryUUID: {uuid}
entryCSN: 20260101000000.000000Z#000000#001#000000
creatorsName: {root}
createTimestamp: 20260101000000Z
modifiersName: {root}
modifyTimestamp: 20260101000000Z

"""


@pytest.fixture(scope="module")
def running_cluster() -> Iterator[Cluster]:
    with Cluster(3) as cluster:
        yield cluster


def command(config: Path, *options: str) -> list[str]:
    return [str(PROGRAM), "content", "diff", "c", "--config", str(config), *options]


def run(config: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(config, *options), capture_output=True, text=True, timeout=60, check=False
    )


def compared(config: Path, *options: str) -> tuple[int, dict[str, Any]]:
    done = run(config, *options, "--format", "json")
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


@contextmanager
def behind_its_back(node: Node, cluster: Cluster, change: Callable[[], object]) -> Iterator[None]:
    """Change the database of a node while it is stopped; put the old one back in the end."""
    backup = node.directory / "backup"
    node.stop()
    shutil.copytree(node.database, backup)
    change()
    _start(node, cluster)
    try:
        yield
    finally:
        node.stop()
        shutil.rmtree(node.database)
        backup.rename(node.database)
        _start(node, cluster)


def _start(node: Node, cluster: Cluster) -> None:
    node.start()
    cluster.wait_until_linked()
    cluster.wait_until_level()


def change(node: Node, dn: str, ldif: str) -> None:
    node.tool("modify", "-b", SUFFIX, ldif=f"dn: {dn}\nchangetype: {ldif}\n\n")


def _without_canaries(cluster: Cluster) -> None:
    for node in cluster.nodes:
        cluster.nodes[0].root.delete(f"cn=agent c/{node.name},{CANARIES}")
    cluster.wait_until_level()


@contextmanager
def writing(*nodes: Node) -> Iterator[None]:
    """Change a few entries on each node again and again, each node its own.

    If two change the same one at the same time, slapd 2.5.13 itself sometimes leaves it different
    for ever (docs/content.md).
    """
    done = threading.Event()

    def write(node: Node, first: int) -> None:
        changes = "".join(
            f"dn: {person(number)}\nchangetype: modify\nreplace: title\ntitle: {{title}}\n\n"
            for number in range(first, first + 5)
        )
        for title in itertools.count():
            if done.is_set():
                return
            node.root.change(changes.format(title=title))

    writers = [
        threading.Thread(target=write, args=(node, 1 + 5 * number))
        for number, node in enumerate(nodes)
    ]
    for writer in writers:
        writer.start()
    try:
        yield
    finally:
        done.set()
        for writer in writers:
            writer.join()


def test_a_healthy_cluster_has_no_difference(config: Path) -> None:
    status, report = compared(config)

    assert (status, report["different"], report["unsettled"]) == (0, 0, 0)
    assert [each["entries"] for each in report["servers"]] == [ENTRIES] * 3
    assert f"no difference; {ENTRIES} entries on 3 of 3 servers" in run(config).stdout


def test_an_entry_with_another_version_on_one_server_is_found(
    cluster: Cluster, config: Path, tmp_path: Path
) -> None:
    node, dn = cluster.nodes[2], person(3)
    uuid = "00000000-0000-4000-8000-000000000008"

    def replace() -> None:
        assert cluster.nodes[0].root.read(dn, "entryUUID") == (uuid,)
        change(node, dn, "delete")
        again = ENTRY.format(dn=dn, uid="user3", uuid=uuid, root=ROOT_DN)
        node.tool("add", "-b", SUFFIX, ldif=again)

    with behind_its_back(node, cluster, replace):
        levels = {each.context_csn() for each in cluster.nodes}
        status, report = compared(config)
        text = run(config, "--output", str(tmp_path / "out.ldif"))

    (found,) = report["differences"]
    assert len(levels) == 1  # what the replication check compares says that all is well
    assert (status, report["different"], report["unsettled"]) == (1, 1, 0)
    assert (found["dn"], found["odd"], found["missing"]) == (dn, ["c/ldap3"], [])
    assert {each["entry_uuid"] for each in found["versions"].values()} == {uuid}
    assert found["versions"]["c/ldap3"]["entry_csn"].startswith("20260101000000.000000Z")
    assert found["versions"]["c/ldap1"] == found["versions"]["c/ldap2"]
    assert text.returncode == 1
    assert "ldap1, ldap2" in text.stdout
    assert f"1 entry differs; {ENTRIES} entries on 3 of 3 servers" in text.stdout
    assert f"\ndn: {dn}\nentryUUID: {uuid}\n" in (tmp_path / "out.ldif").read_text()


def test_slapmodify_makes_another_entry_of_the_same_name(cluster: Cluster, config: Path) -> None:
    node, dn = cluster.nodes[1], person(5)
    ldif = "modify\nreplace: description\ndescription: behind its back"
    with behind_its_back(node, cluster, lambda: change(node, dn, ldif)):
        status, report = compared(config)

    (found,) = report["differences"]
    assert (status, report["different"]) == (1, 1)  # once, although it has two entryUUIDs
    assert (found["dn"], found["odd"], found["missing"]) == (dn, ["c/ldap2"], [])
    assert len({each["entry_uuid"] for each in found["versions"].values()}) == 2


def test_entries_that_one_server_lacks_are_found_while_others_are_written(
    cluster: Cluster, config: Path
) -> None:
    node = cluster.nodes[1]
    lost = {person(19), person(20)}

    def lose() -> None:
        for dn in lost:
            change(node, dn, "delete")

    with behind_its_back(node, cluster, lose), writing(cluster.nodes[0], cluster.nodes[2]):
        status, report = compared(config)

    assert (status, report["different"]) == (1, 2)
    assert {each["dn"] for each in report["differences"]} == lost
    assert all(each["missing"] == ["c/ldap2"] for each in report["differences"])
    lacking = {each["server"]: each["lacking"] for each in report["servers"]}
    assert lacking == {"c/ldap1": 0, "c/ldap2": 2, "c/ldap3": 0}


def test_a_healthy_cluster_has_no_difference_while_all_write(
    cluster: Cluster, config: Path
) -> None:
    with writing(cluster.nodes[0], cluster.nodes[1]):
        seen = [compared(config) for _ in range(3)]

    assert [(status, report["different"]) for status, report in seen] == [(0, 0)] * 3


def test_our_own_canaries_are_no_difference(cluster: Cluster, config: Path, tmp_path: Path) -> None:
    agent = RunningAgent(cluster, tmp_path / "agent", interval_seconds=0.2)
    agent.directory.mkdir()
    with agent:
        seen = [compared(config) for _ in range(4)]
    _without_canaries(cluster)

    assert [(status, report["different"]) for status, report in seen] == [(0, 0)] * 4
    assert seen[0][1]["servers"][0]["entries"] == ENTRIES + 3


@pytest.mark.parametrize("fault", [Node.kill, Node.freeze], ids=["dead", "frozen"])
def test_a_server_that_cannot_be_read_is_named_and_nobody_is_blamed(
    fault: Callable[[Node], None], cluster: Cluster, config: Path
) -> None:
    fault(cluster.nodes[2])
    status, report = compared(config)

    reasons = {each["server"]: each["not_compared"] for each in report["servers"]}
    assert (status, report["different"], report["unsettled"]) == (3, 0, 0)
    assert reasons.pop("c/ldap3")
    assert set(reasons.values()) == {""}


def test_with_one_server_left_nothing_is_compared(cluster: Cluster, config: Path) -> None:
    for node in cluster.nodes[1:]:
        node.kill()
    done = run(config)

    assert done.returncode == 3
    assert done.stdout.count("was not compared: cannot connect") == 2
    assert "no difference" not in done.stdout


@pytest.mark.parametrize(
    "rule",
    [
        f'to dn.subtree="{SUFFIX}" by anonymous =x by * =0',
        f'to dn.children="{SUFFIX}" by anonymous =x by * =0',
        f'to dn.subtree="{SUFFIX}" attrs=entryUUID by * none',
    ],
    ids=["no suffix", "no entry", "no entryUUID"],
)
def test_what_the_account_may_not_read_is_not_taken_for_missing(
    rule: str, cluster: Cluster, config: Path
) -> None:
    node = cluster.nodes[2]
    node.forbid(rule)
    status, report = compared(config)

    assert (status, report["different"]) == (3, 0)
    assert [bool(each["not_compared"]) for each in report["servers"]] == [False, False, True]


def test_who_lacks_changes_is_not_compared_and_not_blamed(cluster: Cluster, config: Path) -> None:
    cluster.nodes[2].cut_replication()
    cluster.nodes[0].write(3)
    cluster.nodes[1].write(3)
    wait.until(
        lambda: cluster.nodes[0].context_csn() == cluster.nodes[1].context_csn(), 5.0, "not level"
    )
    status, report = compared(config, "--wait", "1")

    assert (status, report["different"]) == (3, 0)
    assert "did not receive within 1 s" in report["servers"][2]["not_compared"]


def test_a_size_limit_of_the_server_only_makes_slices_narrower(
    cluster: Cluster, config: Path
) -> None:
    node, old = cluster.nodes[1], f'dn.exact="{CHECK_DN}" size=unlimited'
    node.root.modify(DATABASE, f'replace: olcLimits\nolcLimits: dn.exact="{CHECK_DN}" size=7')
    try:
        status, report = compared(config)
    finally:
        node.root.modify(DATABASE, f"replace: olcLimits\nolcLimits: {old}")

    assert (status, report["different"]) == (0, 0)
    assert [each["entries"] for each in report["servers"]] == [ENTRIES] * 3


def test_interrupted_it_goes_on_from_there(cluster: Cluster, config: Path, tmp_path: Path) -> None:
    resume_file = tmp_path / "resume"
    servers = {f"c/{node.name}": node.uri for node in cluster.nodes}
    save_progress(
        resume_file, ComparisonProgress(cursor=Cursor(wanted=4)), ComparedContents(servers, SUFFIX)
    )  # slices of four entries
    options = ("--resume", str(resume_file), "--format", "json")

    def progress() -> ComparisonProgress:
        found = load_progress(resume_file, ComparedContents(servers, SUFFIX))
        assert found is not None
        return found

    first = subprocess.Popen(
        command(config, *options, "--entries-per-second", "4"),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    wait.until(lambda: progress().entries.get("c/ldap1", 0) >= 4, 20.0, "no slice is done")
    first.send_signal(signal.SIGINT)
    stdout, stderr = first.communicate(timeout=10)
    done = progress().entries["c/ldap1"]
    again = run(config, *options)
    report = json.loads(again.stdout)

    assert (first.returncode, stdout) == (130, "")
    assert "run the same command again to continue" in stderr
    assert 4 <= done < ENTRIES
    assert (again.returncode, report["different"]) == (0, 0)
    assert [each["entries"] for each in report["servers"]] == [ENTRIES] * 3  # none read twice
    assert not resume_file.exists()


def test_what_was_found_before_the_interruption_is_kept(
    cluster: Cluster, config: Path, tmp_path: Path
) -> None:
    resume_file = tmp_path / "resume"
    servers = {f"c/{node.name}": node.uri for node in cluster.nodes}
    half = ComparisonProgress(cursor=Cursor(wanted=4))
    half.not_compared["c/ldap3"] = "it was down"
    save_progress(resume_file, half, ComparedContents(servers, SUFFIX))
    status, report = compared(config, "--resume", str(resume_file))

    assert status == 3
    assert [each["entries"] for each in report["servers"]] == [ENTRIES, ENTRIES, 0]
    assert report["servers"][2]["not_compared"] == "it was down"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(("--resume", "/dev/shm/resume"), "other users can write to", id="for all"),  # noqa: S108
        pytest.param(("--output", "/nowhere/out"), "cannot write to /nowhere", id="no directory"),
        pytest.param(("--entries-per-second", "0"), "entries-per-second", id="no speed"),
    ],
)
def test_bad_input_is_one_clear_line(options: tuple[str, ...], said: str, config: Path) -> None:
    done = run(config, *options)

    assert (done.returncode, done.stdout) == (3, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_rate_is_kept(config: Path) -> None:
    slow, fast = (
        compared(config, "--entries-per-second", rate)[1]["duration_seconds"]
        for rate in ("10", "10000")
    )

    assert fast < 1.0
    assert ENTRIES / 10 <= slow < ENTRIES / 10 + 2.0


def test_a_server_is_no_cluster(config: Path) -> None:
    done = subprocess.run(
        [PROGRAM, "content", "diff", "c/ldap1", "--config", config],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (done.returncode, done.stdout) == (3, "")
    assert "name its cluster, c" in done.stderr


def test_the_repairs_in_the_documents_repair(cluster: Cluster, config: Path) -> None:
    """First by changing two of three entries where they are right, then by loading the server."""
    right, wrong = cluster.nodes[0], cluster.nodes[2]

    def spoil() -> None:
        change(wrong, person(3), "delete")
        change(wrong, person(4), "delete")
        change(wrong, person(5), "modify\nreplace: description\ndescription: x")

    with behind_its_back(wrong, cluster, spoil):
        spoiled = compared(config)[1]["different"]
        for dn in (person(3), person(5)):
            right.root.modify(dn, "replace: description\ndescription: as loaded")
        cluster.wait_until_level()
        left = [each["dn"] for each in compared(config)[1]["differences"]]

        copy = right.tool("cat", "-b", SUFFIX)
        wrong.stop()
        for file in wrong.database.glob("*.mdb"):
            file.unlink()
        wrong.tool("add", "-q", "-b", SUFFIX, ldif=copy)
        _start(wrong, cluster)
        status, report = compared(config)

    assert (spoiled, left) == (3, [person(4)])
    assert (status, report["different"]) == (0, 0)


def rewrite(node: Node, dn: str, *changes: tuple[str, str]) -> None:
    """Change lines of an entry, as LDIF, in the database of a stopped node; entryCSN is kept."""
    record = node.tool("cat", "-H", f"ldap:///{dn}??base", "-o", "ldif_wrap=no")
    for before, after in changes:
        assert before in record, record
        record = record.replace(before, after)
    change(node, dn, "delete")
    node.tool("add", "-b", SUFFIX, ldif=record)


def test_other_values_under_one_entry_csn_are_found_with_values_only(
    cluster: Cluster, config: Path
) -> None:
    node, (one, another, third) = cluster.nodes[2], map(person, (3, 4, 6))
    for dn, lines in (
        (another, "add: audio\naudio:: /w=="),  # the octet ff, which is not UTF-8
        (third, "add: mail\nmail: a@example.com\nmail: b@example.com"),
    ):
        cluster.nodes[0].root.modify(dn, lines)
    cluster.wait_until_level()

    def spoil() -> None:
        rewrite(node, one, ("sn: 3\n", "sn: three\ntitle: more\n"))
        rewrite(node, another, ("audio:: /w==", "audio:: /g=="))
        rewrite(
            node,
            third,
            ("mail: a@", "mail: x@"),
            ("mail: b@", "mail: a@"),
            ("mail: x@", "mail: b@"),
        )

    with behind_its_back(node, cluster, spoil):
        without, _ = compared(config)
        status, report = compared(config, "--values")
        excepted, _ = compared(config, "--values-except", "SN", "--values-except", "title")
        text = run(config, "--values").stdout

    found = {each["dn"]: each for each in report["differences"]}
    assert (without, status, excepted) == (0, 1, 1)
    assert {dn: each["attributes"] for dn, each in found.items()} == {
        one: ["sn", "title"],
        another: ["audio"],
    }
    assert {each["odd"][0] for each in found.values()} == {"c/ldap3"}
    assert {"audio", "mail", "sn", "title", "uid"} <= {*report["values"]["compared"]}
    assert "userpassword" not in report["values"]["compared"]  # no server shows it
    assert "values of sn, title differ" in text


@pytest.mark.parametrize("hidden", ["description", "mail;lang-en"])
def test_values_that_one_server_does_not_show_are_not_called_different(
    hidden: str, cluster: Cluster, config: Path
) -> None:
    name = hidden.partition(";")[0]
    if ";" in hidden:
        cluster.nodes[0].root.modify(person(9), f"add: {hidden}\n{hidden}: a@example.com")
    cluster.wait_until_level()
    cluster.nodes[1].forbid(f"to attrs={name} by * none")
    status, report = compared(config, "--values")

    assert (status, report["different"]) == (3, 0)
    assert report["values"]["unreadable"] == {name: ["c/ldap2"]}
    assert name not in report["values"]["compared"]
    assert [each["entries"] for each in report["servers"]] == [ENTRIES] * 3


def test_with_values_a_healthy_cluster_has_no_difference_while_all_write(
    cluster: Cluster, config: Path
) -> None:
    with writing(cluster.nodes[0], cluster.nodes[1]):
        seen = [compared(config, "--values") for _ in range(5)]

    assert [(status, report["different"]) for status, report in seen] == [(0, 0)] * 5
    assert {*seen[0][1]["values"]["unreadable"]} == set()


def test_large_entries_are_compared_on_smaller_pages(cluster: Cluster, config: Path) -> None:
    photo = base64.b64encode(bytes(4_500_000)).decode()
    people = [person(number) for number in range(10, 14)]  # more than 16 MiB together
    for dn in people:
        cluster.nodes[0].root.modify(dn, f"add: audio\naudio:: {photo}")
    cluster.wait_until_level()
    try:
        status, report = compared(config, "--values")
    finally:
        for dn in people:
            cluster.nodes[0].root.modify(dn, "delete: audio")

    assert (status, report["different"]) == (0, 0)
    assert "audio" in report["values"]["compared"]


class WithContent(RunningAgent):
    """An agent that compares the whole tree once in 36 s, with its values."""

    def configure(self, servers: int | None = None) -> None:
        """Add the check to the configuration."""
        super().configure(servers)
        self.config.write_text(
            self.config.read_text()
            + "      content: {cover_hours: 0.01, wait_seconds: 2, values: true}\n"
        )

    def content_reasons(self) -> dict[str, list[str]]:
        """Return what the check says of each server, where it is not well."""
        return {
            name: [
                reason["summary"]
                for reason in self.verdict(name)["reasons"]
                if reason["code"].startswith("content.")
            ]
            for name in ("ldap1", "ldap2", "ldap3")
        }


def test_the_agent_tells_who_is_odd_until_it_is_mended(cluster: Cluster, tmp_path: Path) -> None:
    node, dn = cluster.nodes[2], person(7)
    with ExitStack() as lost:
        lost.enter_context(behind_its_back(node, cluster, lambda: change(node, dn, "delete")))
        with WithContent(cluster, tmp_path) as agent:
            wait.until(lambda: any(agent.content_reasons().values()), 30.0, agent.log())
            reasons = agent.content_reasons()
            agent.wait_for("ldap3", 0, 15.0)  # the check only tells
            lost.close()
            wait.until(lambda: not any(agent.content_reasons().values()), 30.0, agent.log())
    _without_canaries(cluster)

    sentence = f"the entry {dn} differs from most servers"
    assert reasons == {"ldap1": [], "ldap2": [], "ldap3": [sentence]}


def test_the_agent_finds_other_values_and_says_what_it_cannot_read(
    cluster: Cluster, tmp_path: Path
) -> None:
    node, dn = cluster.nodes[2], person(7)
    cluster.nodes[1].forbid("to attrs=description by * none")
    spoil = partial(rewrite, node, dn, ("sn: 7\n", "sn: seven\n"))
    with behind_its_back(node, cluster, spoil), WithContent(cluster, tmp_path) as agent:
        wait.until(lambda: all(agent.content_reasons()[n] for n in ("ldap2", "ldap3")), 60.0, "")
        reasons = agent.content_reasons()
    _without_canaries(cluster)

    assert reasons == {
        "ldap1": [],
        "ldap2": [
            (
                "the values of description are not compared: this server does not let the account "
                "read them, and others do"
            )
        ],
        "ldap3": [
            f"the entry {dn} differs from most servers, in the values of sn under one entryCSN"
        ],
    }


def surveyed(cluster: Cluster, kept: Any = None) -> SurveyResult[Any, Any]:
    """Do one survey of all there is."""
    credentials = Credentials(BindMethod.SIMPLE, CHECK_DN, Secret(CHECK_PASSWORD))
    servers = tuple(
        Server(cluster="c", name=node.name, uri=node.uri, suffix=SUFFIX, credentials=credentials)
        for node in cluster.nodes
    )
    params = Params(cover_hours=1, wait_seconds=1)
    deadline = Deadline.after(params.deadline_seconds)
    stop = threading.Event().wait
    return survey(
        SurveyContext(
            servers=servers,
            params=params,
            deadline=deadline,
            kept=kept,
            open_session=open_session,
            wait=stop,
        )
    )


def test_a_survey_of_two_that_differ_takes_no_side(cluster: Cluster) -> None:
    cluster.nodes[2].kill()
    node, dn = cluster.nodes[1], person(8)
    with behind_its_back(node, cluster, lambda: change(node, dn, "delete")):
        found = surveyed(cluster).found

    facts = {server: each.facts for server, each in found.items()}
    assert [facts[server].odd for server in facts] == [0, 0, 0]
    assert [facts[server].undecided_dns for server in facts] == [(dn,), (dn,), ()]
    assert str(facts["c/ldap3"].not_compared).startswith("cannot connect")


def test_a_survey_does_no_more_than_is_due(cluster: Cluster) -> None:
    first = surveyed(cluster)
    second = surveyed(cluster, first.kept)

    assert first.kept is not None
    assert 0 < first.kept.cursor.part < 0.1  # 1 of 256 parts of an hour
    assert second.kept == first.kept
