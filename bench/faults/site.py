"""One cluster with a fault proxy before each node, and verbs to break both.

`bench/faults/trial.py` makes one for each fault; the rows of the table use the verbs.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from bench.faults import messages
from bench.faults.proxy import HOST, Behaviour, Proxies, Proxy, forward
from demo import ports
from demo.client import LdapError
from demo.cluster import Cluster
from demo.node import DATABASE, Node
from demo.programs import find
from demo.tree import CANARIES, CHECK_DN, CHECK_PASSWORD, PEOPLE, ROOT_DN, SUFFIX, person

ALL = (1, 2, 3, 4)
CLIENT_CERTIFICATE_SECONDS = 30.0
HOG_CONNECTIONS = 24
HOG_SEARCHES = 900  # slapd ends connections with more than 1000 waiting (conn_max_pending_auth)
REPLICATION_WORDS = ("overlay ", "syncprov-", "syncrepl ", "multiprovider ")
SMALL_BUFFER_BYTES = 4096


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What a fault needs of its cluster that is not as usual."""

    tls: bool = False
    client_certificate: bool = False  # clients present one, which ends after half a minute
    consumers: Mapping[int, int] = field(default_factory=dict)
    ahead_seconds: Mapping[int, float] = field(default_factory=dict)


class Site:
    """A cluster, its proxies, and the faults that are in; a context manager."""

    def __init__(self, shape: Shape, seed: int) -> None:
        self.shape = shape
        self.cluster = Cluster(
            tls=shape.tls, consumers=shape.consumers, ahead_seconds=shape.ahead_seconds
        )
        self.ports: tuple[int, ...] = ()
        self.client_certificate: tuple[Path, Path] | None = None
        self.certificate_ends = 0.0
        self._seed = seed
        self._backups: dict[int, str] = {}
        self._open = contextlib.ExitStack()
        self._undo = contextlib.ExitStack()
        self._proxies: Proxies

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.cluster)
            reservation = ports.reserve(len(ALL), (HOST,))
            stack.callback(reservation.release)
            self.ports = reservation.ports
            servers = [int(node.uri.rpartition(":")[2]) for node in self.cluster.nodes]
            pairs = list(zip(self.ports, servers, strict=True))
            self._proxies = stack.enter_context(Proxies(pairs, self._seed))
            if self.shape.client_certificate:
                self._issue_client_certificate()
            stack.callback(self._undo.close)
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def node(self, server: int) -> Node:
        """Return the node itself, past its proxy."""
        return self.cluster.nodes[server - 1]

    def uri(self, server: int) -> str:
        """Return where clients reach a server: at its proxy."""
        return f"ldap://{HOST}:{self.ports[server - 1]}"

    def heal(self) -> None:
        """Undo all faults: first what is in the way of slapd, then those in slapd."""
        for node in self.cluster.nodes:
            node.thaw()
            node.start()
        self.restore_network(*ALL)
        self._undo.close()
        self.cluster.heal()

    # Faults before the server

    def behave(self, behaviour: Behaviour, *servers: int) -> None:
        """Let the proxies do this to new connections."""
        for server in servers:
            self._proxy(server).behaviour = behaviour

    def refuse(self, *servers: int) -> None:
        """Let connections be refused, and break those that are open."""
        for server in servers:
            self._proxies.run(self._proxy(server).refuse())

    def drop(self, *servers: int) -> None:
        """Let connects go unanswered, as when packets are dropped."""
        for server in servers:
            self._proxies.run(self._proxy(server).drop())

    def restore_network(self, *servers: int) -> None:
        """Let the proxies do nothing of their own again."""
        self.behave(forward, *servers)
        for server in servers:
            self._proxies.run(self._proxy(server).listen())

    # Faults of the process

    def kill(self, *servers: int) -> None:
        """End slapd as a crash does; its proxy refuses connections as the kernel does then."""
        for server in servers:
            self.node(server).kill()
            self.refuse(server)

    def start(self, *servers: int) -> None:
        """Start slapd again."""
        for server in servers:
            self.node(server).start()
            self.restore_network(server)

    def restart(self, server: int, pause_seconds: float) -> None:
        """Restart slapd as an administrator does, with a pause."""
        self.node(server).terminate()
        self.refuse(server)
        self.node(server).stop()
        time.sleep(pause_seconds)
        self.start(server)

    def freeze(self, *servers: int) -> None:
        """Stop slapd without ending it (SIGSTOP)."""
        for server in servers:
            self.node(server).freeze()

    def occupy_threads(self, server: int) -> None:
        """Let clients ask for more than they read, until each thread of slapd waits for one."""
        password = self.cluster.accounts.root.password_file.read_text()
        asked = messages.search_below(2, SUFFIX) * HOG_SEARCHES
        for _ in range(HOG_CONNECTIONS):
            client = self._undo.enter_context(socket.socket())
            client.settimeout(1.0)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_BYTES)
            client.connect((HOST, self._port(server)))
            try:
                client.sendall(messages.bind(1, ROOT_DN, password))
                client.recv(SMALL_BUFFER_BYTES)
                client.sendall(asked)
            except TimeoutError:  # no thread is left
                break

    # Faults in slapd

    def restrict(self, server: int, operation: str) -> None:
        """Take no operations of a kind (olcRestrict of slapd-config(5))."""
        root = self.node(server).root
        root.modify(DATABASE, f"replace: olcRestrict\nolcRestrict: {operation}")
        self._undo.callback(root.modify, DATABASE, "replace: olcRestrict")

    def demand_confidentiality(self, *servers: int) -> None:
        """Refuse simple binds on connections without TLS; ldapi counts as 71 bits.

        Deleting the value would change nothing before a restart, so it is set to 0 again.
        """
        change = "replace: olcSecurity\nolcSecurity: simple_bind={}"
        for server in servers:
            root = self.node(server).root
            root.modify("cn=config", change.format(64))
            self._undo.callback(root.modify, "cn=config", change.format(0))

    def forbid(self, server: int, rule: str) -> None:
        """Put an access rule before all others."""
        root = self.node(server).root
        root.modify(DATABASE, f"add: olcAccess\nolcAccess: {{0}}{rule}")
        self._undo.callback(root.modify, DATABASE, "delete: olcAccess\nolcAccess: {0}")

    def on(self, fault: Callable[[Node], None], *servers: int) -> None:
        """Put a fault of `demo/node.py` into servers."""
        for server in servers:
            fault(self.node(server))

    def change_password(self) -> None:
        """Give the check account another password, as an administrator does."""
        root = self.node(1).root
        root.modify(CHECK_DN, "replace: userPassword\nuserPassword: changed yesterday")
        back = f"replace: userPassword\nuserPassword: {CHECK_PASSWORD}"
        self._undo.callback(root.modify, CHECK_DN, back)

    def rename_people(self) -> None:
        """Rename the entry below which all people are, as an administrator does."""
        old, new = PEOPLE.partition(",")[0], "ou=staff"
        root = self.node(1).root
        rename = "changetype: modrdn\nnewrdn: {}\ndeleteoldrdn: 1\n"
        root.change(f"dn: {PEOPLE}\n{rename.format(new)}")
        self._undo.callback(root.change, f"dn: {new},{SUFFIX}\n{rename.format(old)}")

    def delete_canaries(self) -> None:
        """Delete every entry below the agents' container."""
        root = self.node(1).root
        for entry in root.search(CANARIES, "(objectClass=*)", "1.1", scope="one"):
            root.delete(entry["dn"][0])

    def limit_size(self, server: int, entries: int) -> None:
        """End the check account's searches after so many entries."""
        root = self.node(server).root
        limit = f'olcLimits: {{0}}dn.exact="{CHECK_DN}" size'
        root.modify(DATABASE, f"replace: olcLimits\n{limit}={entries}")
        self._undo.callback(root.modify, DATABASE, f"replace: olcLimits\n{limit}=unlimited")

    def limit_files(self, server: int) -> None:
        """Let slapd open no more files than it has open; it must be restarted to forget that."""
        node = self.node(server)
        subprocess.run(
            [find("prlimit"), f"--pid={node.pid}", "--nofile=4:4096"], check=True, timeout=5
        )
        self._undo.callback(node.start)
        self._undo.callback(node.stop)

    def lose(self, server: int, number: int) -> None:
        """Delete one of the people past replication; entries come back only while slapd is down."""
        record = self.node(server).tool("cat", "-a", f"(uid=user{number})", "-o", "ldif_wrap=no")
        self._modify_silently(server, f"dn: {person(number)}\nchangetype: delete\n")
        self._undo.callback(self._add_stopped, server, record)

    def falsify(self, server: int, number: int) -> None:
        """Give one of the people another sn past replication, under the entryCSN that it has."""
        change = f"dn: {person(number)}\nchangetype: modify\nreplace: sn\nsn: "
        self._modify_unseen(server, f"{change}wrong\n")
        self._undo.callback(self._modify_unseen, server, f"{change}{number}\n")

    def age(self, server: int, number: int) -> None:
        """Let one of the people be as it was before, with the entryCSN of then."""
        (now,) = self.node(server).root.read(person(number), "entryCSN")
        change = (
            f"dn: {person(number)}\nchangetype: modify\nreplace: description\ndescription: {{}}\n"
            "-\nreplace: entryCSN\nentryCSN: {}\n"
        )
        before = f"2001{now[4:]}"
        self._modify_unseen(server, change.format("as it was before", before))
        self._undo.callback(self._modify_unseen, server, change.format("as loaded", now))

    def write_for_long(self, *servers: int, pause_seconds: float = 0.5) -> None:
        """Write to servers until the faults are undone."""
        done = threading.Event()

        def write() -> None:
            while not done.wait(pause_seconds):
                for server in servers:
                    with contextlib.suppress(LdapError):
                        self.node(server).write()

        writer = threading.Thread(target=write, name="writer")
        writer.start()
        self._undo.callback(writer.join)
        self._undo.callback(done.set)

    def back_up(self, *servers: int) -> None:
        """Keep a copy of the database as it is now, and write something afterwards."""
        for server in servers:
            self._backups[server] = self.node(server).tool("cat", "-b", SUFFIX)
        for server in servers:
            self.node(server).write()
        self.cluster.wait_until_level()

    def restore(self, *servers: int) -> None:
        """Put the copy back on all of them at once, as an administrator does."""
        for server in servers:
            self.refuse(server)
            self.node(server).stop()
        for server in servers:
            self._replace(server, self._backups[server])
        for server in servers:
            self.start(server)

    def delete_database(self, server: int) -> None:
        """Let a server begin with nothing."""
        self.refuse(server)
        self.node(server).stop()
        self._replace(server, "")
        self.start(server)

    def present(self, server: int, name: str, *, days: float = 1, identity: str = HOST) -> None:
        """Let slapd present another certificate, which ends in so many days."""
        assert self.cluster.authority is not None
        ends = datetime.now(UTC) + timedelta(days=days)
        issued = self.cluster.authority.issue(name, (identity,), valid_until=ends)
        self._present(server, issued.chain, issued.key)
        own = self.node(server).directory
        self._undo.callback(self._present, server, own.with_suffix(".pem"), own.with_suffix(".key"))

    def demand_certificates(self, word: str) -> None:
        """Let every server demand a client's certificate, or not (olcTLSVerifyClient)."""
        for node in self.cluster.nodes:
            node.root.modify(
                "cn=config", f"replace: olcTLSVerifyClient\nolcTLSVerifyClient: {word}"
            )

    def wait_until_certificate_ends(self) -> None:
        """Wait until the clients' own certificate has expired."""
        time.sleep(max(0.0, self.certificate_ends - time.time()) + 1)

    # How

    def _proxy(self, server: int) -> Proxy:
        return self._proxies.each[server - 1]

    def _port(self, server: int) -> int:
        return self._proxy(server).server_port

    def _replace(self, server: int, ldif: str) -> None:
        node = self.node(server)
        shutil.rmtree(node.database)
        node.database.mkdir()
        if ldif:
            node.tool("add", "-q", "-b", SUFFIX, ldif=ldif)

    def _modify_silently(self, server: int, ldif: str) -> None:
        """Change entries with slapmodify(8): replication knows nothing of it."""
        self.node(server).tool("modify", "-b", SUFFIX, ldif=ldif)

    def _modify_unseen(self, server: int, ldif: str) -> None:
        """Change entries and leave their entryCSN.

        slapmodify(8) makes a new one unless lastmod is off, which syncprov refuses; so the tool
        gets a slapd.conf(5) without replication for the same database.
        """
        node = self.node(server)
        lines = (node.directory / "slapd.conf").read_text().splitlines()
        kept = [line for line in lines if not line.startswith(REPLICATION_WORDS)]
        kept.insert(kept.index(f"suffix {SUFFIX}"), "lastmod off")
        conf = node.directory / "unseen.conf"
        conf.write_text("\n".join([*kept, ""]))
        with tempfile.TemporaryDirectory(dir=node.directory) as converted:
            node.tool("modify", "-F", converted, "-f", str(conf), "-b", SUFFIX, ldif=ldif)

    def _add_stopped(self, server: int, ldif: str) -> None:
        """Add entries while slapd is down: a running one does not see them (`Node.empty`)."""
        node = self.node(server)
        node.stop()
        node.tool("add", "-b", SUFFIX, ldif=ldif)
        node.start()

    def _present(self, server: int, chain: Path, key: Path) -> None:
        self.node(server).root.modify(
            "cn=config",
            f"replace: olcTLSCertificateFile\nolcTLSCertificateFile: {chain}\n-\n"
            f"replace: olcTLSCertificateKeyFile\nolcTLSCertificateKeyFile: {key}",
        )

    def _issue_client_certificate(self) -> None:
        assert self.cluster.authority is not None
        self.certificate_ends = time.time() + CLIENT_CERTIFICATE_SECONDS
        ends = datetime.fromtimestamp(self.certificate_ends, UTC)
        issued = self.cluster.authority.issue(
            "client", ("client.test",), common_name="client", valid_until=ends
        )
        self.client_certificate = (issued.chain, issued.key)
        self.demand_certificates("demand")


def servers(numbers: Iterable[int]) -> str:
    """Return servers as people name them."""
    return ", ".join(f"ldap{number}" for number in sorted(numbers)) or "none"
