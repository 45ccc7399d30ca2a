"""One node of the demo cluster: a slapd with methods to use it and to inject faults.

Tests, demo and benchmarks get nodes from `demo/cluster.py`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from demo.client import Client, Credentials, parse
from demo.slapd import Slapd
from demo.slapd_conf import Link
from demo.slowness import Slowness
from demo.tree import CHECK_DN, PEOPLE, PEOPLE_COUNT, ROOT_DN, SUFFIX, person

DATABASE = "olcDatabase={1}mdb,cn=config"
SOCK = """\
objectClass: olcOverlayConfig
objectClass: olcOvSocketConfig
olcOverlay: sock
olcDbSocketPath: {path}
olcDbSocketExtensions: binddn
olcOvSocketOps: search"""


@dataclass(frozen=True, slots=True)
class Addresses:
    """The URLs on which a node listens; None if it does not."""

    ldap: str
    ldaps: str | None = None
    ipv6: str | None = None

    def urls(self) -> tuple[str, ...]:
        """Return the URLs that are not None."""
        return tuple(url for url in (self.ldap, self.ldaps, self.ipv6) if url)


@dataclass(frozen=True, slots=True)
class Accounts:
    """The rootdn, to which no access rule and no delay applies, and the check account."""

    root: Credentials
    check: Credentials


class Node(Slapd):
    """A provider that receives from all others.

    Faults change cn=config, which is not replicated. So they affect one node only; they need no
    restart and survive one. They can be combined; `heal` undoes them, the last one first.
    """

    def __init__(
        self,
        slapd: Path,
        directory: Path,
        addresses: Addresses,
        accounts: Accounts,
        links: tuple[Link, ...],
    ) -> None:
        super().__init__(slapd, directory, addresses.urls())
        self.name = directory.name
        self.uri = addresses.ldap
        self.ldaps_uri = addresses.ldaps
        self.ipv6_uri = addresses.ipv6
        self.root = Client(self.ldapi_uri, accounts.root)
        self.check = Client(self.ldapi_uri, accounts.check)
        self.anonymous = Client(self.ldapi_uri)
        self.links = links
        self._cut: frozenset[str] = frozenset()
        self._slowness: Slowness | None = None
        self._undo = contextlib.ExitStack()

    # State

    def context_csn(self) -> tuple[str, ...]:
        """Return the contextCSN values in order, one for each server ID that has written."""
        return tuple(sorted(self.root.read(SUFFIX, "contextCSN")))

    def receives_from(self) -> frozenset[str]:
        """Return the URIs of the providers to which it has a link that is up to date.

        The phase alone is not enough: it is still Persist when the provider is gone (ITS#9339).
        """
        consumers = self.root.search(
            "cn=Monitor",
            "(objectClass=olmSyncReplInstance)",
            "olmSRProviderURIList",
            "olmSRConnection",
            "olmSRSyncPhase",
        )
        return frozenset(
            uri
            for consumer in consumers
            if any(consumer.get("olmSRConnection", ()))
            and consumer.get("olmSRSyncPhase") == ("Persist",)
            for uri in consumer["olmSRProviderURIList"]
        )

    def write(self, changes: int = 1) -> int:
        """Change descriptions of people, one after the other, on one connection.

        Return the stamp in all of them, nanoseconds since the epoch.
        """
        stamp = time.time_ns()
        self.root.change(
            "".join(
                f"dn: {person(number % PEOPLE_COUNT + 1)}\nchangetype: modify\n"
                f"replace: description\ndescription: {self.name} {stamp} {number}\n\n"
                for number in range(changes)
            )
        )
        return stamp

    # Faults

    def cut_replication(self, *providers: Node) -> None:
        """Stop receiving from `providers`, or from all if none are named.

        The provider of the link becomes a port without a listener, so that cn=Monitor shows a
        consumer that is not connected, as with a cut network, and not a missing one.
        """
        affected = {provider.uri for provider in providers} or {
            link.provider for link in self.links
        }
        self._point_links(self._cut | affected)
        self._undo.callback(self._point_links, frozenset())

    def refuse_password(self) -> None:
        """Answer the check account's bind with invalidCredentials, by an access rule."""
        self.forbid(f'to dn.base="{CHECK_DN}" attrs=userPassword by * none')

    def forbid(self, rule: str) -> None:
        """Put an access rule (slapd.access(5)) before all others."""
        self.root.modify(DATABASE, f"add: olcAccess\nolcAccess: {{0}}{rule}")
        # The last fault is undone first, so this rule is the first one again by then.
        self._undo.callback(self.root.modify, DATABASE, "delete: olcAccess\nolcAccess: {0}")

    def permit(self) -> None:
        """Put a rule without effect in place of the latest `forbid`; `heal` removes that one."""
        self.root.modify(DATABASE, "delete: olcAccess\nolcAccess: {0}")
        without_effect = f'to dn.exact="cn=none,{SUFFIX}" by * break'
        self.root.modify(DATABASE, f"add: olcAccess\nolcAccess: {{0}}{without_effect}")

    def hide_base(self, dn: str) -> None:
        """Answer noSuchObject to searches at or below `dn`, by an access rule.

        Without the right `disclose` slapd answers as if the entry did not exist
        (slapd.access(5)): a client cannot tell the two apart, and this works for the suffix
        too, which cannot be deleted without its contextCSN. Binds stay possible (`=x`).
        """
        self.forbid(f'to dn.subtree="{dn}" by anonymous =x by * =0')

    def empty(self) -> None:
        """Delete all people without a trace: same contextCSN, but the entries are gone.

        slapmodify(8) deletes them in the database of the running slapd, without syncprov. LMDB's
        lock between processes is enough for that: back-mdb caches no entries, so slapd sees it at
        once. This does not apply to added entries: slapd keeps the highest entry ID that it
        assigned (mi_nextid in back-mdb) and reads no further. So `heal` stops slapd, adds what
        replication has not restored meanwhile, and starts it.

        Do not start any node while one is empty: in a refresh by the present phase
        (RFC 4533, 3.3) it would delete the entries that the empty node lacks.
        """
        lost = self._people()
        deletions = (f"dn: {dn}\nchangetype: delete\n\n" for dn in lost)
        self.tool("modify", "-b", SUFFIX, ldif="".join(deletions))
        self._undo.callback(self._restore, lost)

    def slow_searches(self, seconds: float) -> None:
        """Delay every search of the data by so many seconds; bind and cn=Monitor are not delayed.

        slapo-retcode(5) would also delay binds, writes and replication, and by whole seconds only.
        A second call only changes the delay.
        """
        if self._slowness:
            self._slowness.seconds = seconds
            return
        path = self.directory / "slow"
        self._slowness = Slowness(path, seconds, exempt=ROOT_DN)
        self.root.add(f"olcOverlay=sock,{DATABASE}", SOCK.format(path=path))
        self._undo.callback(self._remove_delay, self._slowness)

    def read_only(self) -> None:
        """Refuse clients' writes with unwillingToPerform; replicated changes are applied."""
        self._configure("olcReadOnly", ["TRUE"])
        self._undo.callback(self._configure, "olcReadOnly", ["FALSE"])

    def heal(self) -> None:
        """Thaw slapd, start it if it does not run, and undo every fault."""
        self.thaw()
        self.start()
        self._undo.close()

    def close(self) -> None:
        """Stop slapd and release all resources."""
        self.stop()
        if self._slowness:
            self._slowness.close()

    def _configure(self, attribute: str, values: Iterable[str]) -> None:
        lines = "".join(f"{attribute}: {value}\n" for value in values)
        self.root.modify(DATABASE, f"replace: {attribute}\n{lines}")

    def _point_links(self, cut: frozenset[str]) -> None:
        self._cut = cut
        self._configure(
            "olcSyncrepl",
            [link.directive(cut=link.provider in cut) for link in self.links],
        )

    def _people(self) -> dict[str, str]:
        # Not `-s`, with which slapcat 2.5.13 crashes.
        people = f"ldap:///{PEOPLE}??sub?(objectClass=inetOrgPerson)"
        ldif = self.tool("cat", "-H", people, "-o", "ldif_wrap=no")
        records = (record for record in ldif.split("\n\n") if record.strip())
        return {parse(record)[0]["dn"][0]: record for record in records}

    def _restore(self, lost: Mapping[str, str]) -> None:
        self.stop()
        here = self._people()
        missing = (f"{record}\n\n" for dn, record in lost.items() if dn not in here)
        self.tool("add", "-b", SUFFIX, ldif="".join(missing))
        self.start()

    def _remove_delay(self, slowness: Slowness) -> None:
        # Changes of cn=config wait for running operations, so release those that wait.
        slowness.release()
        self.root.delete(f"olcOverlay={{1}}sock,{DATABASE}")
        slowness.close()
        self._slowness = None
