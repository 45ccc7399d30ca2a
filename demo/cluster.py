"""A multi-provider OpenLDAP cluster on loopback, as processes that are always cleaned up.

Tests get it from the fixture in tests/conftest.py; the demo and the benchmarks open it.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from demo import ports, tree, wait
from demo.certificates import Authority, ServerCertificate
from demo.client import Credentials
from demo.node import Accounts, Addresses, Node
from demo.programs import fake_clock, find, slapd_for
from demo.slapd import PortTakenError
from demo.slapd_conf import Link, SlapdConf

LEVEL_SECONDS = 60.0  # on a busy machine; a moment on a quiet one
ATTEMPTS = 3
# sockaddr_un(7) has 108 bytes for a path; `/ldap10/s` must fit as well.
LONGEST_DIRECTORY = 80


@dataclass(eq=False)
class Cluster:
    """`size` nodes ldap1, ldap2, ... that replicate to each other; a context manager.

    With `tls` they support LDAPS and StartTLS; `identities` are in each certificate, where `{n}`
    stands for the number of the node. With `ipv6` they also listen on ::1 if the machine has it.
    `server_ids` replace 1, 2, ... By number of a node, `consumers` has the only provider of a node
    that takes no writes, and `ahead_seconds` how far its clock is ahead. The last write before the
    start is `idle_seconds` old. `hosts` are the names of nodes that are not on loopback; each of
    these listens on port 389, without LDAPS.
    """

    size: int = 4
    tls: bool = False
    identities: tuple[str, ...] = ("ldap{n}.test", "127.0.0.1", "::1")
    ipv6: bool = False
    database_bytes: int = 64 * 2**20
    server_ids: tuple[int, ...] = ()
    consumers: Mapping[int, int] = field(default_factory=dict)
    ahead_seconds: Mapping[int, float] = field(default_factory=dict)
    idle_seconds: float = 0.0
    hosts: tuple[str, ...] = ()
    reserve: Callable[[int, tuple[str, ...]], ports.Reservation] = ports.reserve
    nodes: tuple[Node, ...] = field(default=(), init=False)
    directory: Path = field(init=False)
    accounts: Accounts = field(init=False)
    ca_file: Path | None = field(default=None, init=False)
    authority: Authority | None = field(default=None, init=False)
    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack, init=False)

    def __enter__(self) -> Self:
        """Start, with other ports if one is taken meanwhile; return when all are linked and level.

        Raises FileNotFoundError that names the packages if a program is missing, and
        demo.running_program.StartError.
        """
        for program in ("slapd", "ldapsearch", "ldapmodify", "ldapwhoami", "setpriv", "prlimit"):
            find(program)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._start()
            except PortTakenError:
                self._open.close()
                if attempt == ATTEMPTS:
                    raise
            except BaseException:
                self._open.close()
                raise
            else:
                break
        return self

    def __exit__(self, *_: object) -> None:
        """End every process and remove the directory."""
        self._open.close()

    def heal(self) -> None:
        """Undo all faults, and wait until the cluster is linked and level again.

        Nodes that run come first: one that was emptied must have its entries again before another
        starts and refreshes from it.
        """
        for node in self.nodes:
            node.thaw()
        for node in sorted(self.nodes, key=lambda node: node.pid is None):
            node.heal()
        self.wait_until_linked()
        self.wait_until_level()

    def wait_until_level(self, timeout_seconds: float = LEVEL_SECONDS) -> None:
        """Wait until all nodes that run hold the same contextCSN; TimeoutError if they do not."""
        wait.until(
            lambda: len({node.context_csn() for node in self._running()}) == 1,
            timeout_seconds,
            "the nodes do not hold the same contextCSN",
        )

    def wait_until_linked(self, timeout_seconds: float = LEVEL_SECONDS) -> None:
        """Wait until every node that runs receives from all others that run.

        A consumer has one provider only. A cluster can be level without all links: a lost link is
        retried after a second, and until then the next write does not arrive. The arrival of a
        write proves less, because a change also arrives by way of a third node.
        """
        uris = {node.uri for node in self._running()}
        wait.until(
            lambda: all(
                node.receives_from() >= uris & {link.provider for link in node.links}
                for node in self._running()
            ),
            timeout_seconds,
            "not every node receives from all others",
        )

    def isolate(self, node: Node) -> None:
        """Let no other node receive from `node`, which still takes writes and receives changes."""
        for other in self.nodes:
            if other is not node:
                other.cut_replication(node)

    @property
    def consumer_nodes(self) -> tuple[Node, ...]:
        """Return the nodes that take no writes."""
        return tuple(self.nodes[number - 1] for number in self.consumers)

    def pids(self) -> set[int]:
        """Return the process IDs of the nodes that run."""
        return {node.pid for node in self.nodes if node.pid is not None}

    def _running(self) -> list[Node]:
        return [node for node in self.nodes if node.pid is not None]

    def _start(self) -> None:
        self.directory = _make_directory()
        self._open.callback(shutil.rmtree, self.directory)
        password = secrets.token_hex()  # so that no other cluster can replicate with this one
        self.accounts = Accounts(
            root=self._credentials(tree.ROOT_DN, "root", password),
            check=self._credentials(tree.CHECK_DN, "check", tree.CHECK_PASSWORD),
        )
        addresses, nowhere = self._addresses()
        links = tuple(Link(rid, a.ldap, nowhere, password) for rid, a in enumerate(addresses, 1))
        binary = slapd_for(self.directory)
        self.nodes = tuple(
            Node(
                binary,
                self.directory / f"ldap{number}",
                own,
                self.accounts,
                tuple(links[other - 1] for other in self._providers(number)),
            )
            for number, own in enumerate(addresses, 1)
        )
        for number, seconds in self.ahead_seconds.items():
            self.nodes[number - 1].environment = fake_clock(seconds)
        self._load(password)
        self._open.callback(self._end)
        for node in self.nodes:
            node.launch()
        for node in self.nodes:
            node.wait_until_ready()
        self.wait_until_linked()
        self.wait_until_level()

    def _providers(self, number: int) -> list[int]:
        """Return the numbers of the nodes from which a node receives."""
        if number in self.consumers:
            return [self.consumers[number]]
        numbers = range(1, self.size + 1)
        return [each for each in numbers if each != number and each not in self.consumers]

    def _end(self) -> None:
        for node in self.nodes:
            node.terminate()  # all at once: each takes a moment
        for node in self.nodes:
            node.close()

    def _credentials(self, dn: str, name: str, password: str) -> Credentials:
        path = self.directory / f"{name}.password"
        path.touch(mode=0o600)
        path.write_text(password)  # no newline: ldapsearch -y takes the whole file
        return Credentials(dn, path)

    def _addresses(self) -> tuple[list[Addresses], str]:
        if self.hosts:
            return [Addresses(f"ldap://{host}") for host in self.hosts], "ldap://127.0.0.1:1"
        ipv6 = self.ipv6 and ports.has_ipv6()
        hosts = ("127.0.0.1", "::1") if ipv6 else ("127.0.0.1",)
        reservation = self.reserve(2 * self.size + 1, hosts)
        self._open.callback(reservation.release)
        plain, secure = reservation.ports[: self.size], reservation.ports[self.size : -1]
        addresses = [
            Addresses(
                f"ldap://127.0.0.1:{port}",
                f"ldaps://127.0.0.1:{secure_port}" if self.tls else None,
                f"ldap://[::1]:{port}" if ipv6 else None,
            )
            for port, secure_port in zip(plain, secure, strict=True)
        ]
        return addresses, f"ldap://127.0.0.1:{reservation.ports[-1]}"

    def _load(self, password: str) -> None:
        ldif = tree.ldif(datetime.now(UTC) - timedelta(seconds=self.idle_seconds))
        certificates = self._certificates()
        confs = [
            SlapdConf(
                self.server_ids[number - 1] if self.server_ids else number,
                node.database,
                self.database_bytes,
                password,
                node.links,
                certificate,
                multi_provider=number not in self.consumers,
            ).text()
            for number, (node, certificate) in enumerate(
                zip(self.nodes, certificates, strict=True), 1
            )
        ]
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda node, conf: node.load(conf, ldif), self.nodes, confs))

    def _certificates(self) -> list[ServerCertificate | None]:
        if not self.tls:
            return [None] * self.size
        authority = self.authority = Authority(self.directory)
        self.ca_file = authority.file
        return [
            authority.issue(node.name, tuple(name.format(n=number) for name in self.identities))
            for number, node in enumerate(self.nodes, 1)
        ]


def _make_directory() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="ldaphealth-"))
    if len(str(directory)) <= LONGEST_DIRECTORY:
        return directory
    directory.rmdir()
    return Path(tempfile.mkdtemp(prefix="ldaphealth-", dir="/tmp"))
