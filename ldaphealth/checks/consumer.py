"""What slapd itself says of each link it replicates by (RFC 4533): cn=Monitor of OpenLDAP 2.5+.

A link that is gone is seen here even while nobody writes, when contextCSN shows nothing. How slapd
2.5 fills the attributes was measured: `olmSRLastConnect` is the last attempt, failed ones too; the
phase still says Persist when the provider is gone; a link of type refreshOnly is not connected
between two polls, and looks like one whose every attempt is answered with an error, so neither is
judged while the last attempt was answered.

Silence is measured, within the newest 64 reads, and not judged: slapd sends no change back to the
server it came from, so in a healthy cluster one link may hear of every write and another of none.

Durations are what was seen: they reach back as far as the recent observations, which keep of older
reads the first and the last of those that say the same. The server's own times are only compared
with each other, never with a clock of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from ldaphealth.check import Check, View
from ldaphealth.judging.thresholds import Thresholds, at_most
from ldaphealth.model import Finding, Metric, State, Trust
from ldaphealth.text.printable import printable

if TYPE_CHECKING:
    from ldaphealth.ldap.session import Session

BASE = "cn=Databases,cn=Monitor"
FILTER = "(objectClass=olmSyncReplInstance)"
ATTRIBUTES = (
    "createTimestamp",
    "olmSRProviderURIList",
    "olmSRConnection",
    "olmSRSyncPhase",
    "olmSRLastConnect",
    "olmSRLastContact",
)
NEVER = "00000101000000Z"
PERSIST = "Persist"
REFRESH = frozenset({"Refresh", "Fallback Refresh"})
LONGEST_NAME, LONGEST_VALUE = 128, 32


class Params(Struct, frozen=True):
    """Settings of the check."""

    not_connected_seconds: Annotated[
        Thresholds,
        Meta(description="for how long a link was seen without a connection"),
    ] = at_most(30, 300)
    refresh_seconds: Annotated[
        Thresholds,
        Meta(description="for how long a link was seen refreshing"),
    ] = at_most(300, 1800)
    reconnects: Annotated[
        Thresholds, Meta(description="how often a link connected anew, in at most 64 reads")
    ] = at_most(3, 10)
    silent_seconds: Annotated[
        Thresholds,
        Meta(
            description="for how long a connected link has brought nothing; where nothing is "
            "written nothing comes, so by default it is only told"
        ),
    ] = Thresholds()


class Link(Struct, frozen=True, kw_only=True):
    """One link as one read shows it."""

    dn: str
    started: str  # when slapd made the entry: another one after a restart
    name: str
    connected: bool
    phase: str
    connect: str
    contact: str

    @property
    def key(self) -> tuple[str, str, str]:
        """Return what is the same in all reads of one link of one running slapd."""
        return self.dn, self.started, self.name

    @property
    def waits(self) -> bool:
        """Tell whether it is not connected after an attempt that was answered, as in refreshOnly.

        A link that was lost has the phase Persist, or tried again since the last contact.
        """
        answered = self.contact != NEVER and self.contact >= self.connect
        return not self.connected and self.phase != PERSIST and answered

    @property
    def lost(self) -> bool:
        """Tell whether it should be connected and is not."""
        return not self.connected and not self.waits

    @property
    def phase_now(self) -> str:
        """Return the phase as it is: slapd's own still says Persist when the provider is gone."""
        if self.connected:
            return self.phase
        return "waiting" if self.waits else "not connected"

    @property
    def refreshes(self) -> bool:
        """Tell whether it is catching up; until it tried to connect the phase says so, too."""
        return self.connected and self.phase in REFRESH


class Facts(Struct, frozen=True):
    """The links that the server shows; `entries` counts those too that hide their attributes."""

    entries: int
    links: tuple[Link, ...]


Reads = Sequence[tuple[float, Link]]  # when each ended, oldest first; never empty


def observe(session: Session, _: Params) -> Facts:
    """Read the links."""
    found = session.search(BASE, "sub", FILTER, ATTRIBUTES)
    readable = [(dn, entry) for dn, entry in found if "olmsrconnection" in entry]
    uris = [_uris(dn, entry) for dn, entry in readable]
    links = tuple(
        _link(dn, entry, uri if uris.count(uri) == 1 else f"{uri} ({_name(dn)})")
        for (dn, entry), uri in zip(readable, uris, strict=True)
    )
    return Facts(len(found), links)


def _link(dn: str, entry: Mapping[str, tuple[str, ...]], name: str) -> Link:
    def value(attribute: str) -> str:
        return printable("".join(entry.get(attribute, ())[:1]), LONGEST_VALUE)

    return Link(
        dn=printable(dn.lower(), LONGEST_NAME),
        started=value("createtimestamp"),
        name=name,
        connected=bool(value("olmsrconnection")),
        phase=value("olmsrsyncphase"),
        connect=value("olmsrlastconnect"),
        contact=value("olmsrlastcontact"),
    )


def _uris(dn: str, entry: Mapping[str, tuple[str, ...]]) -> str:
    text = ", ".join(entry.get("olmsrproviderurilist", ()))
    return printable(text, LONGEST_NAME) or _name(dn)


def _name(dn: str) -> str:
    """Return the first value of the DN, which is `Consumer` and the rid."""
    return printable(dn.partition(",")[0].partition("=")[2], LONGEST_VALUE)


def judge(view: View[Facts], params: Params) -> Iterable[Finding]:
    """Judge each link by how long it has been seen so, and by how often it connected anew."""
    shown = [(seen.ended_at, facts.links) for seen in view.own if (facts := seen.facts) is not None]
    latest = view.facts.links
    if not view.facts.entries:
        summary = "slapd shows no links: it receives from nobody, or is older than OpenLDAP 2.5"
        yield view.finding(State.OK, "not_applicable", summary)
        return
    if not latest:
        summary = f"the links below {BASE} hide their attributes: no right to read them"
        yield view.finding(State.UNKNOWN, "no_access", summary, trust=Trust.LOCAL)
        return
    fine: list[Metric] = []
    well = 0
    for link in latest:
        reads = [(at, each) for at, links in shown for each in links if each.key == link.key]
        found = [*_findings(view, params, reads)]
        metrics = [metric for each in found for metric in each.metrics]
        wrong = [each for each in found if each.state is not State.OK]
        if wrong:  # the first tells all numbers of the link
            yield replace(wrong[0], metrics=tuple(metrics))
            yield from (replace(each, metrics=()) for each in wrong[1:])
        else:
            well += 1
            fine += metrics
    if well:
        yield view.finding(State.OK, "ok", _count(latest), fine)


def _count(links: Sequence[Link]) -> str:
    connected = sum(link.connected for link in links)
    waiting = sum(link.waits for link in links)
    text = f"{connected} of {len(links)} replication links connected"
    return text + (f", {waiting} waiting for the next poll" if waiting else "")


def _findings(view: View[Facts], params: Params, reads: Reads) -> Iterator[Finding]:
    link = reads[-1][1]

    def finding(  # noqa: PLR0913  all of one number
        code: str,
        limits: Thresholds,
        name: str,
        value: float,
        summary: str,
        *,
        says_so: bool = True,
    ) -> Finding:
        state = _state(view, limits, value) if says_so else State.OK
        # What a process without memory saw is no duration.
        metrics = () if view.one_shot else (limits.metric(name, value, link.name),)
        return view.finding(state, code, summary, metrics)

    seconds = _lasting(reads, lambda each: each.lost and each.contact == link.contact)
    yield finding(
        "not_connected",
        params.not_connected_seconds,
        "not_connected_seconds",
        seconds,
        f"no connection to its provider {link.name}{_for(view, seconds)}: nothing comes from there",
        says_so=link.lost,
    )
    seconds = _lasting(reads, lambda each: each.refreshes)
    yield finding(
        "refreshing",
        params.refresh_seconds,
        "refresh_seconds",
        seconds,
        f"refreshing from {link.name}{_for(view, seconds)}: its data may be old until that ends",
        says_so=link.refreshes,
    )
    if view.one_shot:
        return
    times, window = _reconnects(reads), reads[-1][0] - reads[0][0]
    yield finding(
        "refresh_loop",
        params.reconnects,
        "reconnects",
        times,
        f"connected anew to {link.name} {times} times within {window:.0f} s:"
        " the link breaks, or refreshes over and over",
    )
    silent = _lasting(reads, lambda each: each.connected and each.contact == link.contact)
    yield finding(
        "silent",
        params.silent_seconds,
        "silent_seconds",
        silent,
        f"connected to {link.name}, but nothing has come from there for at least {silent:.0f} s",
    )


def _state(view: View[Facts], limits: Thresholds, value: float) -> State:
    """Judge a number; in a process without memory that it is so at all is a WARNING at most."""
    if view.one_shot:
        return State.OK if limits == Thresholds() else State.WARNING
    return limits.state(value)


def _for(view: View[Facts], seconds: float) -> str:
    return " at this moment" if view.one_shot else f" for at least {seconds:.0f} s"


def _lasting(reads: Reads, says_so: Callable[[Link], bool]) -> float:
    """Return the seconds from the first of the newest reads that all say so to the latest."""
    since = latest = reads[-1][0]
    for at, link in reversed(reads):
        if not says_so(link):
            break
        since = at
    return latest - since


def _reconnects(reads: Reads) -> int:
    """Count the connections that were made between the first read and the last.

    An attempt counts when the link was seen connected after it, or was in contact since the read
    before: a provider that is down for an hour is tried every few seconds, and that is no loop.
    """
    links = [link for _, link in reads]
    made = [links[0].connect] * links[0].connected + [
        link.connect
        for before, link in pairwise(links)
        if link.connected or (link.phase == PERSIST and link.contact != before.contact)
    ]
    return sum(earlier != later for earlier, later in pairwise(made))


def says_the_same(earlier: Facts, later: Facts) -> bool:
    """Tell whether two reads differ at most in what nobody judges.

    That is when a link was last in contact, and of a lost one, which has no contact, when it was
    tried.
    """
    return _steady(earlier) == _steady(later)


def _steady(facts: Facts) -> list[Link]:
    return [
        replace(link, connect="") if link.lost else replace(link, contact="")
        for link in facts.links
    ]


CHECK = Check(
    name="consumer",
    params=Params,
    facts=Facts,
    observe=observe,
    judge=judge,
    covers=says_the_same,
)
