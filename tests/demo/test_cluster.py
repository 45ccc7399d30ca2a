"""The demo cluster against the real thing: every verb, every fault, and what is left behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from demo import ports, wait
from demo.client import Client, Entry, LdapError
from demo.cluster import Cluster
from demo.node import Node
from demo.slapd import PortTakenError
from demo.tree import CANARIES, CHECK_DN, PEOPLE, PEOPLE_COUNT, SERVICES, SUFFIX, person

pytestmark = pytest.mark.slapd

NO_SUCH_OBJECT, INVALID_CREDENTIALS, INSUFFICIENT_ACCESS, UNWILLING_TO_PERFORM = 32, 49, 50, 53
CANNOT_CONTACT = 255
CANARY = "objectClass: device\ncn: canary"


def people(client: Client) -> list[Entry]:
    return client.search(PEOPLE, "(uid=*)", "entryUUID", "entryCSN")


def result_code(operation: Callable[[], object]) -> int:
    try:
        operation()
    except LdapError as error:
        return error.result_code
    return 0


def seconds(operation: Callable[[], object]) -> float:
    started_at = time.monotonic()
    operation()
    return time.monotonic() - started_at


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


# What it is


def test_all_nodes_hold_the_same_entries_with_the_same_csns_from_the_start() -> None:
    with Cluster(size=2) as fresh:
        first, second = fresh.nodes

        assert len(people(first.root)) == PEOPLE_COUNT
        assert people(first.root) == people(second.root)
        assert first.context_csn() == second.context_csn() != ()


def test_a_write_to_any_node_reaches_all_others(cluster: Cluster) -> None:
    for node in cluster.nodes:
        node.write()
    cluster.wait_until_level()

    sids = {csn.split("#")[2] for csn in cluster.nodes[0].context_csn()}
    assert sids >= {"001", "002", "003", "004"}
    assert all(people(node.root) == people(cluster.nodes[0].root) for node in cluster.nodes)


def test_a_load_of_writes_changes_as_many_entries_as_asked_and_arrives(cluster: Cluster) -> None:
    def written(node: Node) -> int:
        """Count what slapd says it has completed (cn=Monitor, back-monitor)."""
        name = "cn=Modify,cn=Operations,cn=Monitor"
        return int(node.root.read(name, "monitorOpCompleted")[0])

    first = cluster.nodes[0]
    before = written(first)
    first.write(500)
    assert written(first) - before == 500

    cluster.wait_until_level()
    assert people(cluster.nodes[3].root) == people(first.root)


def test_nodes_are_reached_by_every_address_they_name(cluster: Cluster) -> None:
    node = cluster.nodes[1]
    uris = [node.uri, node.ldapi_uri, *([node.ipv6_uri] if node.ipv6_uri else [])]

    assert (node.ipv6_uri is not None) == ports.has_ipv6()
    assert {Client(uri, cluster.accounts.check).who_am_i() for uri in uris} == {f"dn:{CHECK_DN}"}


@pytest.mark.parametrize("identity", ["ldap2.test", "127.0.0.1"])
def test_ldaps_shows_a_certificate_for_the_identities_asked_for(
    cluster: Cluster, identity: str
) -> None:
    port = urlsplit(str(cluster.nodes[1].ldaps_uri)).port
    context = ssl.create_default_context(cafile=str(cluster.ca_file))

    with (
        socket.create_connection(("127.0.0.1", port or 0), 5) as plain,
        context.wrap_socket(plain, server_hostname=identity) as secure,
    ):
        assert ("DNS", "ldap2.test") in secure.getpeercert()["subjectAltName"]  # type: ignore[index]


def test_identities_of_one_cluster_can_be_wrong_on_purpose() -> None:
    with Cluster(size=1, tls=True, identities=("elsewhere{n}.test",)) as odd:
        context = ssl.create_default_context(cafile=str(odd.ca_file))
        port = urlsplit(str(odd.nodes[0].ldaps_uri)).port
        with (
            socket.create_connection(("127.0.0.1", port or 0), 5) as plain,
            pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"),
            context.wrap_socket(plain, server_hostname="ldap1.test"),
        ):
            pytest.fail("the handshake succeeded")


def test_start_tls_works_on_the_plain_port(cluster: Cluster) -> None:
    done = subprocess.run(
        ["ldapwhoami", "-x", "-ZZ", "-H", cluster.nodes[1].uri],
        env=os.environ | {"LDAPTLS_CACERT": str(cluster.ca_file)},
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )

    assert (done.returncode, done.stdout) == (0, "anonymous\n"), done.stderr


# Who may do what


def test_the_check_account_reads_the_data_and_the_monitor(cluster: Cluster) -> None:
    check = cluster.nodes[0].check

    assert len(people(check)) == PEOPLE_COUNT
    assert check.read(SUFFIX, "contextCSN") == cluster.nodes[0].root.read(SUFFIX, "contextCSN")
    assert check.search("cn=Monitor", "(objectClass=olmSyncReplInstance)")
    assert check.read(CHECK_DN, "userPassword") == ()


def test_the_check_account_adds_and_changes_canaries(cluster: Cluster) -> None:
    check, dn = cluster.nodes[0].check, f"cn=canary,{CANARIES}"
    check.add(dn, CANARY)
    check.modify(dn, "replace: description\ndescription: token")

    assert check.read(dn, "description") == ("token",)
    check.delete(dn)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            f"dn: {person(1)}\nchangetype: modify\nreplace: description\ndescription: x\n",
            id="change a person",
        ),
        pytest.param(
            f"dn: {CANARIES}\nchangetype: modify\nreplace: description\ndescription: x\n",
            id="change the container itself",
        ),
        pytest.param(f"dn: cn=canary,{SERVICES}\nchangetype: add\n{CANARY}\n", id="add elsewhere"),
        pytest.param(f"dn: {CANARIES}\nchangetype: delete\n", id="delete the container"),
    ],
)
def test_the_check_account_may_not(cluster: Cluster, change: str) -> None:
    check = cluster.nodes[0].check

    assert result_code(lambda: check.change(change)) == INSUFFICIENT_ACCESS


def test_anonymous_reads_the_root_dse_and_nothing_else(cluster: Cluster) -> None:
    anonymous = cluster.nodes[0].anonymous

    assert anonymous.read("", "namingContexts") == (SUFFIX,)
    assert result_code(lambda: anonymous.search(SUFFIX)) == INSUFFICIENT_ACCESS
    assert result_code(lambda: anonymous.search("cn=Monitor")) == NO_SUCH_OBJECT


# Faults: each strikes one node, and is gone after heal


@pytest.mark.parametrize(
    ("strike", "symptom", "code"),
    [
        pytest.param(
            Node.kill,
            lambda node: people(node.check),
            CANNOT_CONTACT,
            id="a killed node does not answer",
        ),
        pytest.param(
            Node.stop,
            lambda node: people(node.check),
            CANNOT_CONTACT,
            id="a stopped node does not answer",
        ),
        pytest.param(
            Node.refuse_password,
            lambda node: node.check.who_am_i(),
            INVALID_CREDENTIALS,
            id="a refused password is invalidCredentials",
        ),
        pytest.param(
            lambda node: node.hide_base(PEOPLE),
            lambda node: people(node.check),
            NO_SUCH_OBJECT,
            id="a hidden base is noSuchObject",
        ),
        pytest.param(
            lambda node: node.hide_base(SUFFIX),
            lambda node: node.check.search(SUFFIX),
            NO_SUCH_OBJECT,
            id="a hidden suffix is noSuchObject and not a refused bind",
        ),
        pytest.param(
            Node.read_only,
            lambda node: node.root.modify(PEOPLE, "replace: description\ndescription: x"),
            UNWILLING_TO_PERFORM,
            id="a write to a read-only node is unwillingToPerform",
        ),
    ],
)
def test_fault(
    cluster: Cluster, strike: Callable[[Node], None], symptom: Callable[[Node], object], code: int
) -> None:
    def codes() -> list[int]:
        return [result_code(lambda node=node: symptom(node)) for node in cluster.nodes]  # type: ignore[misc]

    assert codes() == [0, 0, 0, 0]
    strike(cluster.nodes[2])
    assert codes() == [0, 0, code, 0]
    cluster.heal()
    assert codes() == [0, 0, 0, 0]


def test_a_frozen_node_does_not_hold_up_a_fault_of_a_node_that_wants_to_link_to_it(
    cluster: Cluster,
) -> None:
    node, frozen = cluster.nodes[:2]
    frozen.freeze()
    node.stop()
    node.start()
    node.refuse_password()

    assert result_code(node.check.who_am_i) == INVALID_CREDENTIALS


def test_faults_add_up_survive_a_restart_and_are_healed_together(cluster: Cluster) -> None:
    node = cluster.nodes[0]
    node.hide_base(PEOPLE)
    node.refuse_password()
    node.cut_replication()
    node.slow_searches(0.01)
    node.read_only()
    node.stop()
    node.start()

    assert result_code(lambda: people(node.check)) == INVALID_CREDENTIALS
    assert result_code(node.write) == UNWILLING_TO_PERFORM
    assert node.receives_from() == frozenset()
    cluster.heal()
    node.write()
    assert len(people(node.check)) == PEOPLE_COUNT


def test_a_frozen_node_takes_connections_and_answers_nothing_until_it_thaws(
    cluster: Cluster,
) -> None:
    node = cluster.nodes[1]
    impatient = Client(node.uri, cluster.accounts.check, timeout_seconds=0.5)
    assert node.pid is not None
    node.freeze()

    assert psutil.Process(node.pid).status() == psutil.STATUS_STOPPED
    socket.create_connection(("127.0.0.1", urlsplit(node.uri).port or 0), 5).close()
    with pytest.raises(subprocess.TimeoutExpired):
        impatient.who_am_i()
    node.thaw()
    assert node.check.who_am_i() == f"dn:{CHECK_DN}"


def test_a_node_that_is_cut_off_misses_writes_that_the_others_get(cluster: Cluster) -> None:
    first, second, third, fourth = cluster.nodes
    first.cut_replication()
    second.write()
    wait.until(
        lambda: second.context_csn() == third.context_csn() == fourth.context_csn(), 10, "no news"
    )

    assert first.context_csn() != second.context_csn()
    assert first.receives_from() == frozenset()
    cluster.heal()
    assert first.context_csn() == second.context_csn()
    assert first.receives_from() == {second.uri, third.uri, fourth.uri}


def test_what_is_written_to_a_node_that_is_cut_off_still_reaches_the_others(
    cluster: Cluster,
) -> None:
    first = cluster.nodes[0]
    first.cut_replication()
    first.write()

    cluster.wait_until_level()


def test_nobody_gets_what_is_written_to_an_isolated_node(cluster: Cluster) -> None:
    first, second, third, _ = cluster.nodes
    cluster.isolate(first)
    first.write()
    second.write()
    wait.until(
        lambda: set(second.context_csn()) < {*first.context_csn(), *third.context_csn()},
        10,
        "the isolated node does not receive",
    )

    assert second.context_csn() == third.context_csn() != first.context_csn()
    assert first.receives_from() >= {second.uri, third.uri}


def test_an_emptied_node_has_lost_its_people_and_is_level_all_the_same(cluster: Cluster) -> None:
    node, other = cluster.nodes[:2]
    before = people(other.root)
    pid = node.pid
    node.empty()

    assert node.check.search(PEOPLE, "(uid=*)") == []
    assert node.check.read(PEOPLE, "ou") == ("people",)
    assert node.context_csn() == other.context_csn()
    assert node.pid == pid
    assert people(other.root) == before
    cluster.heal()
    assert sorted(map(str, people(node.root))) == sorted(map(str, before))


def test_people_changed_while_a_node_is_empty_are_not_set_back_by_healing(
    cluster: Cluster,
) -> None:
    node, other = cluster.nodes[:2]
    node.empty()
    other.write(3)
    cluster.wait_until_level()

    assert len(people(node.root)) == 3
    cluster.heal()
    assert sorted(map(str, people(node.root))) == sorted(map(str, people(other.root)))
    node.write(PEOPLE_COUNT)
    cluster.wait_until_level()
    assert len(people(other.root)) == PEOPLE_COUNT


def test_slow_searches_delay_searches_of_one_node_but_not_its_bind_or_monitor(
    cluster: Cluster,
) -> None:
    node, other = cluster.nodes[:2]
    node.slow_searches(1.5)

    assert seconds(lambda: people(node.check)) >= 1.5
    assert seconds(node.check.who_am_i) < 1.5
    assert seconds(lambda: node.check.read("cn=Monitor", "cn")) < 1.5
    assert seconds(lambda: people(other.check)) < 1.5
    cluster.heal()
    assert seconds(lambda: people(node.check)) < 1.5


def test_replication_into_a_slow_node_goes_on(cluster: Cluster) -> None:
    node, other = cluster.nodes[:2]
    node.slow_searches(60)
    other.write(20)

    cluster.wait_until_level()


def test_healing_a_slow_node_does_not_wait_for_its_slow_searches(cluster: Cluster) -> None:
    node = cluster.nodes[0]
    node.slow_searches(60)
    with subprocess.Popen(
        ["ldapsearch", "-x", "-H", node.ldapi_uri, "-b", PEOPLE],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as search:
        with pytest.raises(subprocess.TimeoutExpired):
            search.wait(0.3)
        assert seconds(cluster.heal) < 30
        search.wait(30)


def test_a_read_only_node_still_takes_what_replication_brings(cluster: Cluster) -> None:
    node, other = cluster.nodes[:2]
    node.read_only()
    other.write()

    cluster.wait_until_level()


# What is left behind


def test_nothing_is_left_when_the_cluster_is_closed_whatever_state_its_nodes_are_in() -> None:
    with Cluster() as doomed:
        pids = doomed.pids()
        assert len(pids) == 4
        doomed.nodes[0].freeze()
        doomed.nodes[1].kill()
        doomed.nodes[2].slow_searches(60)

    assert [pid for pid in pids if not gone(pid)] == []
    assert not doomed.directory.exists()


def test_no_slapd_survives_a_runner_that_is_killed() -> None:
    program = (
        "from demo.cluster import Cluster\n"
        "with Cluster(size=2) as cluster:\n"
        "    print(cluster.directory, *cluster.pids(), flush=True)\n"
        "    input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as runner:
        assert runner.stdout is not None
        directory, *pids = runner.stdout.readline().split()
        runner.send_signal(signal.SIGKILL)

    wait.until(lambda: all(gone(int(pid)) for pid in pids), 10, f"{pids} are still there")
    assert len(pids) == 2
    shutil.rmtree(directory)  # what nobody could do for it


# Ports


def test_a_cluster_takes_other_ports_when_a_stranger_is_faster() -> None:
    tried: list[ports.Reservation] = []

    with socket.create_server(("127.0.0.1", 0)) as stranger:
        taken = stranger.getsockname()[1]

        def reserve(count: int, hosts: tuple[str, ...]) -> ports.Reservation:
            tried.append(ports.reserve(count, hosts))
            return ports.Reservation((taken,) * count, ()) if len(tried) == 1 else tried[-1]

        with Cluster(size=1, reserve=reserve) as cluster:
            assert cluster.nodes[0].check.who_am_i() == f"dn:{CHECK_DN}"
    assert len(tried) == 2
    tried[0].release()


def test_the_error_of_a_node_that_cannot_start_holds_the_end_of_its_log() -> None:
    with Cluster(size=1) as cluster:
        node = cluster.nodes[0]
        node.stop()
        port = urlsplit(node.uri).port
        with (
            socket.create_server(("127.0.0.1", port or 0)),
            pytest.raises(PortTakenError, match=r"bind.* failed errno=98"),
        ):
            node.start()
