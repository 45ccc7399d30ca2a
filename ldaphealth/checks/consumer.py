"""The state of each replication link of a server (RFC 4533), from cn=Monitor of OpenLDAP 2.5+.

It shows a lost link even while there are no writes, when contextCSN shows nothing. The meaning of
the attributes was measured with slapd 2.5. `olmSRLastConnect` is the last attempt, including failed
ones. The phase remains Persist when the provider is gone. A link of type refreshOnly is not
connected between two polls. It then looks like a link whose attempts are all answered with an
error, so neither is judged while the last attempt was answered.

A link without a connection and without a next attempt (olmSRNextConnect) is given up: all attempts
of `retry` (slapd.conf(5)) have failed. During an attempt, and between two, there is a next one.

Silence is measured, and not judged by default: slapd does not send a change back to the server that
it came from, so in a healthy cluster one link may receive every write and another one none.

Durations are those between observations. They go back as far as the recent observations: of older
reads that are equal the first and the last are kept, and of those whose contacts grew some: a
silence may appear shorter by a fifth. While a link of the server reconnects every few reads, those
take the place of older ones, and all durations are limited to some hundred reads. Reconnects are
counted in the newest 64. The times that the server shows are only compared with each other,
never with a clock of this host.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from ldaphealth.check import MOST_NEWEST, Check, View
from ldaphealth.checks.link_times import LinkTimes, link_times
from ldaphealth.checks.links import LINKS_REQUEST, Facts, Link, read_links
from ldaphealth.checks.monitor_access import no_monitor_finding
from ldaphealth.judging.thresholds import NOT_NEGATIVE, Thresholds, at_most
from ldaphealth.model import Finding, Metric, Server, State
from ldaphealth.text.quantity import quantity

if TYPE_CHECKING:
    from ldaphealth.ldap.flight import Flight
    from ldaphealth.ldap.session import Session

RECONNECTS: dict[str, object] = {"least": 0.0, "most": MOST_NEWEST - 1.0}


class Params(Struct, frozen=True):
    """Settings of the check."""

    not_connected_seconds: Annotated[
        Thresholds,
        Meta(
            description="the time for which a link was seen without a connection",
            extra=NOT_NEGATIVE,
        ),
    ] = at_most(30, 300)
    refresh_seconds: Annotated[
        Thresholds,
        Meta(description="the time for which a link was seen refreshing", extra=NOT_NEGATIVE),
    ] = at_most(300, 1800)
    reconnects: Annotated[
        Thresholds,
        Meta(
            description="the number of reconnects of a link, in at most 64 reads", extra=RECONNECTS
        ),
    ] = at_most(3, 10)
    silent_seconds: Annotated[
        Thresholds,
        Meta(
            description="the time for which a connected link has received nothing; without writes "
            "it receives nothing, so by default this is only reported",
            extra=NOT_NEGATIVE,
        ),
    ] = Thresholds()


def requests(_: Server, __: Params) -> Iterator[Flight]:
    """Yield what `observe` requests."""
    yield (LINKS_REQUEST,)


def observe(session: Session, _: Params) -> Facts:
    """Read the links."""
    return read_links(session)


def judge(view: View[Facts], params: Params) -> Iterable[Finding]:
    """Judge the state of each link by how long it lasts, and its number of reconnects."""
    latest = view.facts.links
    if view.facts.access != "read":
        yield no_monitor_finding(view, view.facts.access)
        return
    if not view.facts.entries:
        summary = "slapd shows no replication links: it has none, or is older than OpenLDAP 2.5"
        yield view.finding(State.OK, "not_applicable", summary)
        return
    if not latest:  # the attributes of the links are hidden
        yield no_monitor_finding(view, "denied")
        return
    ok_metrics: list[Metric] = []
    ok_links: list[Link] = []
    for times in link_times(view.own, is_growing=view.is_growing):
        findings = [*_link_findings(_LinkView(view, params, times))]
        metrics = [metric for each in findings for metric in each.metrics]
        not_ok = [each for each in findings if each.state is not State.OK]
        if not_ok:  # the first has all metrics of the link
            yield replace(not_ok[0], metrics=tuple(metrics))
            yield from (replace(each, metrics=()) for each in not_ok[1:])
        else:
            ok_links.append(times.link)
            ok_metrics += metrics
    if ok_links:
        yield view.finding(State.OK, "ok", _count(ok_links, latest), ok_metrics)


def _count(links: Sequence[Link], of: Sequence[Link]) -> str:
    """Return how many of the links that are well are connected; others have findings."""
    connected = sum(link.connected for link in links)
    waiting = sum(link.is_waiting for link in links)
    kind = "replication link" if len(links) == len(of) else "other replication link"
    text = f"{connected} of {quantity(len(links), kind)} connected"
    return text + (f", {waiting} waiting for the next poll" if waiting else "")


class _LinkView(Struct, frozen=True):
    """The times of one link of the server that is judged, and the settings."""

    view: View[Facts]
    params: Params
    times: LinkTimes

    @property
    def link(self) -> Link:
        """Return the link as the newest read shows it."""
        return self.times.link

    def duration(self, seconds: float) -> str:
        """Return a duration as text; a process without memory does not know any."""
        return " at this moment" if self.view.one_shot else f" for at least {seconds:.0f} s"

    def finding(
        self, code: str, summary: str, limits: Thresholds, metric: Metric, *, applies: bool = True
    ) -> Finding:
        """Return a finding on the link; OK if it does not apply to the link now."""
        state = self._state(limits, metric.value) if applies else State.OK
        return self.view.finding(state, code, summary, () if self.view.one_shot else (metric,))

    def _state(self, limits: Thresholds, value: float) -> State:
        """Judge a value; in a process without memory any is a WARNING, unless it never alerts."""
        if self.view.one_shot:
            return State.OK if limits == Thresholds() else State.WARNING
        return limits.state(value)


def _link_findings(link_view: _LinkView) -> Iterator[Finding]:
    yield _not_connected(link_view)
    yield _refreshing(link_view)
    if not link_view.view.one_shot:
        yield _refresh_loop(link_view)
        yield _silent(link_view)


def _not_connected(link_view: _LinkView) -> Finding:
    link, limits = link_view.link, link_view.params.not_connected_seconds
    seconds = link_view.times.lost_seconds
    summary = (
        f"no connection to its provider {link.name}{link_view.duration(seconds)}: "
        "it receives no changes from there"
    )
    metric = limits.metric("not_connected_seconds", seconds, link.name)
    code = "not_connected"
    if link.is_given_up:
        code = "given_up"
        summary = (
            f"slapd has given up the link to its provider {link.name}: all attempts of `retry` in "
            "syncrepl have failed, and it will not be tried again until slapd is restarted; end "
            '`retry` with "+" to go on for ever'
        )
    return link_view.finding(code, summary, limits, metric, applies=link.is_lost)


def _refreshing(link_view: _LinkView) -> Finding:
    link, limits = link_view.link, link_view.params.refresh_seconds
    seconds = link_view.times.refreshing_seconds
    summary = (
        f"refreshing from {link.name}{link_view.duration(seconds)}: "
        "its data may be outdated until the refresh ends"
    )
    metric = limits.metric("refresh_seconds", seconds, link.name)
    return link_view.finding("refreshing", summary, limits, metric, applies=link.is_refreshing)


def _refresh_loop(link_view: _LinkView) -> Finding:
    link, limits = link_view.link, link_view.params.reconnects
    count, seconds = link_view.times.reconnects, link_view.times.counted_seconds
    summary = (
        f"reconnected to {link.name} {quantity(count, 'time')} within {seconds:.0f} s: "
        "the connection breaks, or the refresh is repeated"
    )
    metric = limits.metric("reconnects", count, link.name)
    return link_view.finding("refresh_loop", summary, limits, metric)


def _silent(link_view: _LinkView) -> Finding:
    link, limits = link_view.link, link_view.params.silent_seconds
    seconds = link_view.times.silent_seconds
    summary = f"connected to {link.name}, but has received nothing for at least {seconds:.0f} s"
    metric = limits.metric("silent_seconds", seconds, link.name)
    return link_view.finding("silent", summary, limits, metric)


def only_contacts_grew(earlier: Facts, later: Facts) -> bool:
    """Return whether two reads differ at most in times that prove nothing more.

    These are the time of the last contact of a link, if it is not earlier in the later read; of a
    lost link, which has no contact, the time of the last attempt; of one that polls those of polls.
    """
    return len(earlier.links) == len(later.links) and all(
        map(_only_contact_grew, earlier.links, later.links)
    )


def _only_contact_grew(earlier: Link, later: Link) -> bool:
    if earlier.is_lost:
        return later.is_lost and replace(earlier, connect=later.connect) == later
    if later.is_lost or earlier.contact > later.contact:
        return False
    if earlier.is_waiting and later.is_waiting:
        seconds = later.poll_interval_seconds
        earlier = replace(earlier, connect=later.connect, poll_interval_seconds=seconds)
    return replace(earlier, contact=later.contact) == later


CHECK = Check(
    name="consumer",
    params=Params,
    facts=Facts,
    requests=requests,
    observe=observe,
    judge=judge,
    of_one_server=True,
    covers=only_contacts_grew,
    judges_older_times=False,
    judged_metrics={
        each: (each,)
        for each in ("not_connected_seconds", "refresh_seconds", "reconnects", "silent_seconds")
    },
    bound_because="it reads all replication links of a server",
)
