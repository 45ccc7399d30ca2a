"""A real multi-provider OpenLDAP cluster on loopback, as plain processes, and faults to put in.

Tests start it through the fixture in tests/slapd/conftest.py. Nothing survives the process that
made it: slapd gets SIGTERM when its parent dies (prctl(2), PR_SET_PDEATHSIG through setpriv(1)).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

SUFFIX = "dc=example,dc=com"
PEOPLE = f"ou=people,{SUFFIX}"
CANARIES = f"ou=canaries,{SUFFIX}"
CHECK_DN = f"cn=ldaphealth,{SUFFIX}"
ADMIN_DN = f"cn=admin,{SUFFIX}"
PASSWORD = "secret"
START_SECONDS = 10.0
DATABASE = "olcDatabase={1}mdb,cn=config"

CONFIG = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload back_monitor
moduleload syncprov
moduleload retcode
serverID {server_id}
database config
rootdn cn=config
rootpw {password}
database mdb
suffix {suffix}
rootdn {admin}
rootpw {password}
directory {directory}
dbnosync
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree=ou=canaries,{suffix} by dn.exact={check} write by * none
access to * by dn.exact={check} read by * search
{syncrepl}
overlay syncprov
overlay retcode
retcode-parent "ou=retcodes,{suffix}"
database monitor
access to * by dn.exact={check} read
"""
ACCOUNT = f"""\
objectClass: applicationProcess
objectClass: simpleSecurityObject
cn: ldaphealth
userPassword: {PASSWORD}"""
SYNCREPL = (
    'syncrepl rid={rid} provider={uri} type=refreshAndPersist retry="1 +" timeout=3 '
    "searchbase={suffix} bindmethod=simple binddn={admin} credentials={password}"
)
ENTRY = """\
dn: {dn}
{attributes}
entryUUID: 00000000-0000-4000-8000-{number:012}
entryCSN: 20260101000000.{number:06}Z#000000#001#000000

"""


class Node:
    """One slapd. A fault lasts until `heal`: a restart, since changes of cn=config are not kept."""

    def __init__(self, directory: Path, number: int, port: int) -> None:
        self.directory = directory / f"ldap{number}"
        self.name = f"ldap{number}"
        self.number = number
        self.uri = f"ldap://127.0.0.1:{port}"
        self._process: subprocess.Popen[bytes] | None = None
        self._frozen = False
        self._faulty = False

    def prepare(self, uris: list[str]) -> None:
        """Write the configuration and load the same entries with the same CSNs as every node."""
        (self.directory / "db").mkdir(parents=True)
        names = {
            "suffix": SUFFIX, "admin": ADMIN_DN, "check": CHECK_DN, "password": PASSWORD,
        }  # fmt: skip
        links = "\n".join(
            SYNCREPL.format(rid=f"{rid:03}", uri=uri, **names)
            for rid, uri in enumerate(uris, 1)
            if uri != self.uri
        )
        self._config.write_text(
            CONFIG.format(
                server_id=self.number,
                directory=self.directory / "db",
                syncrepl=f"{links}\nmultiprovider on" if links else "",
                **names,
            )
        )
        ldif = self.directory / "base.ldif"
        ldif.write_text(_entries())
        subprocess.run(
            [_slapd(), "-T", "add", "-w", "-f", self._config, "-l", ldif],
            check=True, capture_output=True, timeout=START_SECONDS,
        )  # fmt: skip

    @property
    def _config(self) -> Path:
        return self.directory / "slapd.conf"

    def start(self) -> None:
        """Start slapd in the foreground, as our child."""
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", _slapd(), "-d", "0", "-f", self._config,
                 "-h", self.uri],
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End slapd and wait for its end."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)

    def kill(self) -> None:
        """End slapd as a crash does."""
        self._faulty = True
        self.stop(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop the process without ending it: the kernel still takes its connections."""
        self._faulty = self._frozen = True
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def heal(self) -> None:
        """Undo every fault by a restart."""
        if self._faulty:
            self.stop()
            self.start()
            self._faulty = False

    def cut_replication(self) -> None:
        """Receive nothing any more; others still receive from here."""
        self._configure(DATABASE, "delete: olcSyncrepl")

    def refuse_password(self) -> None:
        """Answer the check's bind with invalidCredentials, here only."""
        self._forbid(f'dn.exact="{CHECK_DN}" attrs=userPassword')

    def hide_people(self) -> None:
        """Answer noSuchObject for the base of the search, as if it were gone."""
        self._forbid(f'dn.subtree="{PEOPLE}"')

    def empty(self) -> None:
        """Keep the base of the search but none of the people below, as far as clients see."""
        self._forbid(f'dn.children="{PEOPLE}"')

    def read_only(self) -> None:
        """Refuse writes."""
        self._configure(DATABASE, "replace: olcReadOnly\nolcReadOnly: TRUE")

    def slow_operations(self, seconds: int) -> None:
        """Let every operation on the data wait (slapo-retcode(5))."""
        self._configure(
            f"olcOverlay={{1}}retcode,{DATABASE}",
            f"replace: olcRetcodeSleep\nolcRetcodeSleep: {seconds}",
        )

    def write(self, text: str) -> None:
        """Change one entry of the data."""
        self._modify(ADMIN_DN, PEOPLE, f"replace: description\ndescription: {text}")

    def read(self, dn: str, attribute: str) -> list[str]:
        """Return the values of one attribute, as the administrator sees them."""
        found = subprocess.run(
            ["ldapsearch", "-LLL", "-x", "-o", "ldif-wrap=no", "-o", "nettimeout=3", "-H", self.uri,
             "-D", ADMIN_DN, "-w", PASSWORD, "-b", dn, "-s", "base", attribute],
            check=True, capture_output=True, text=True, timeout=START_SECONDS,
        )  # fmt: skip
        marker = f"{attribute}: "
        return [x.removeprefix(marker) for x in found.stdout.splitlines() if x.startswith(marker)]

    def exists(self, dn: str) -> bool:
        """Tell whether there is such an entry."""
        try:
            return bool(self.read(dn, "entryUUID"))
        except subprocess.CalledProcessError:
            return False

    def add(self, dn: str, attributes: str) -> None:
        """Add an entry given as lines of LDIF."""
        self._change(ADMIN_DN, f"dn: {dn}\nchangetype: add\n{attributes}\n")

    def load(self, ldif: str) -> None:
        """Add the entries of an LDIF."""
        subprocess.run(
            ["ldapadd", "-x", "-H", self.uri, "-D", ADMIN_DN, "-w", PASSWORD],
            input=ldif, check=True, capture_output=True, text=True, timeout=START_SECONDS,
        )  # fmt: skip

    @property
    def pid(self) -> int | None:
        """Return the process ID while it runs."""
        return None if self._process is None else self._process.pid

    def delete(self, dn: str) -> None:
        """Delete an entry."""
        self._change(ADMIN_DN, f"dn: {dn}\nchangetype: delete\n")

    def _forbid(self, what: str) -> None:
        self._configure(DATABASE, f"add: olcAccess\nolcAccess: {{0}}to {what} by * none")

    def _configure(self, dn: str, change: str) -> None:
        self._faulty = True
        self._modify("cn=config", dn, change)

    def _modify(self, bind_dn: str, dn: str, change: str) -> None:
        self._change(bind_dn, f"dn: {dn}\nchangetype: modify\n{change}\n")

    def _change(self, bind_dn: str, ldif: str) -> None:
        subprocess.run(
            ["ldapmodify", "-x", "-H", self.uri, "-D", bind_dn, "-w", PASSWORD],
            input=ldif,
            check=True, capture_output=True, text=True, timeout=START_SECONDS,
        )  # fmt: skip


class SlapdCluster:
    """Nodes that replicate to each other; a context manager that leaves nothing behind."""

    def __init__(self, size: int = 4) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="ldaphealth-"))
        ports = _free_ports(size)
        self.nodes = [Node(self.directory, n, port) for n, port in enumerate(ports, 1)]

    def __enter__(self) -> SlapdCluster:
        try:
            for node in self.nodes:
                node.prepare([each.uri for each in self.nodes])
                node.start()
            self.wait_until_linked()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for node in self.nodes:
            node.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def heal(self) -> None:
        """Undo all faults, and wait for the end of their effects."""
        for node in self.nodes:
            node.heal()
        self.wait_until_linked()

    def wait_until_linked(self) -> None:
        """Wait until a change of each node has reached all: a link comes back later than slapd."""
        self.wait_until_level()
        for node in self.nodes:
            node.write(f"linked {time.monotonic()}")
        self.wait_until_level()

    def pids(self) -> set[int]:
        """Return the process IDs of the nodes that run."""
        return {node.pid for node in self.nodes if node.pid is not None}

    def wait_until_level(self) -> None:
        """Wait until every node answers and all hold the same contextCSN values."""
        give_up = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(subprocess.CalledProcessError, subprocess.TimeoutExpired):
                if len({tuple(sorted(n.read(SUFFIX, "contextCSN"))) for n in self.nodes}) == 1:
                    return
            if time.monotonic() > give_up:
                logs = "".join((n.directory / "log").read_text()[-500:] for n in self.nodes)
                raise TimeoutError(f"the cluster is not level after {START_SECONDS} s: {logs}")
            time.sleep(0.1)


def _entries() -> str:
    people = [(f"uid=user{n},{PEOPLE}", f"objectClass: account\nuid: user{n}") for n in range(20)]
    entries = [
        (SUFFIX, "objectClass: dcObject\nobjectClass: organization\no: Example\ndc: example"),
        (PEOPLE, "objectClass: organizationalUnit\nou: people"),
        (CANARIES, "objectClass: organizationalUnit\nou: canaries"),
        (CHECK_DN, ACCOUNT),
        *people,
    ]
    return "".join(
        ENTRY.format(dn=dn, attributes=attributes, number=number)
        for number, (dn, attributes) in enumerate(entries, 1)
    )


def _slapd() -> str:
    # /usr/sbin is not on every user's PATH.
    found = shutil.which("slapd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        raise FileNotFoundError("slapd is missing; make packages installs slapd and ldap-utils")
    return found


def _free_ports(count: int) -> Iterator[int]:
    """Find ports below 32768, where no outgoing connection sits; each process starts elsewhere."""
    port = 21000 + os.getpid() % 1000 * 10
    while count:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                port += 1
                continue
        yield port
        port, count = port + 1, count - 1
