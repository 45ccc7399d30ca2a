"""The page at `/` for people on call: one document without external resources.

Send it with `HEADERS`. The script fetches the page again and replaces what has changed; the page is
complete without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.clocks import BootSeconds, EpochSeconds
from ldaphealth.live.health import LATE_SECONDS, AgentHealth
from ldaphealth.live.live_server import LiveServer
from ldaphealth.live.live_state import LiveView
from ldaphealth.model import CheckEffect, Reason, Snapshot, State, Verdict
from ldaphealth.page.changes import clock, folded, live_change
from ldaphealth.page.document import STYLE, file_text, headers, rendered
from ldaphealth.page.kept_cards import KeptCards
from ldaphealth.page.lag_matrix import Matrix, matrix
from ldaphealth.page.plot import newest
from ldaphealth.page.server_card import KINDS, NAME_CHARACTERS, STALE, Card, CardOverride
from ldaphealth.sinks.summary import problems
from ldaphealth.tables.service_line import what_is_wrong
from ldaphealth.text.duration import duration
from ldaphealth.text.moment import moment
from ldaphealth.text.printable import printable
from ldaphealth.text.quantity import plural_of, quantity

STALE_REASON = Reason(STALE, "", State.UNKNOWN, CheckEffect.WATCH, removes=False)
MOST_CHANGES = 20
OPEN_KINDS = ("out", "stale", "critical", "held", "warned")
MOST_PROBLEMS = 8
MOST_OPEN = 8
MOST_PLOTTED = 24  # servers, the worst first; if there are more, none that are fine

SCRIPT = file_text("page.js")
HEADERS = headers(STYLE, SCRIPT)


class Section(Struct, frozen=True, kw_only=True):
    """One cluster on the page; `html` are its cards as they are shown."""

    name: str
    serving: int
    cards: tuple[Card, ...]
    html: tuple[str, ...]
    matrix: Matrix | None

    @property
    def rank(self) -> int:
        """Return the position on the page: the cluster with the worst server first."""
        return min((card.rank for card in self.cards), default=len(KINDS))


def render(  # noqa: PLR0913  the time on both clocks
    view: LiveView,
    health: AgentHealth,
    *,
    boot_seconds: BootSeconds,
    epoch_seconds: EpochSeconds,
    host: str = "",
    addresses: Mapping[str, str] | None = None,
    overrides: Mapping[str, CardOverride] | None = None,
    floors: Sequence[str] = (),
    links: Sequence[tuple[str, str]] = (),
    kept: KeptCards | None = None,
) -> str:
    """Return the page. Any thread may call it.

    `boot_seconds` decides which verdicts are stale; `epoch_seconds` is the time that is shown.
    `host` is the balancer's name. `addresses` are the URIs of the servers, and `overrides` the
    operators' overrides in force, by server ID.
    `floors` are sentences on clusters with too few servers in service. `links` are other pages of
    the agent, each a path and its description. `kept` has the cards of the last page, and changes
    nothing but the cost.
    """
    sections = _sections(view, boot_seconds, overrides or {}, addresses or {}, kept or KeptCards())
    version = printable(health.version, 64)
    return rendered(
        "page.html",
        STYLE,
        SCRIPT,
        build=_build(version),
        version=version,
        host=printable(host, 64),
        sections=sections,
        now=clock(epoch_seconds),
        now_rfc3339=moment(epoch_seconds),
        floors=[printable(each, 400) for each in floors[:MOST_PROBLEMS]],
        changes=[live_change(each, epoch_seconds) for each in folded(view.changes)[:MOST_CHANGES]],
        links=links,
        most_plotted=MOST_PLOTTED,
        health=health,
        up=duration(health.up_seconds),
        current_problems=current_problems(health),
        counted_errors=counted_errors(health),
        rounds_left_out=rounds_left_out(health),
        **_server_counts(sections, health.servers),
        **_problem_phrases(view, boot_seconds, epoch_seconds),
    )


def _server_counts(sections: Sequence[Section], configured: int) -> dict[str, Any]:
    """Return the template's variables on all servers of the page."""
    cards = [card for section in sections for card in section.cards]
    return {
        "title": _title(cards),
        "worst_kind": _worst_kind(cards),
        "serving": sum(section.serving for section in sections),
        "total": len(cards),
        "not_probed": max(0, configured - len(cards)),
        "shown_ids": {card.id for card in cards},
    }


def _problem_phrases(
    view: LiveView, boot_seconds: BootSeconds, epoch_seconds: EpochSeconds
) -> dict[str, Any]:
    """Return the template's variables on the servers with problems."""
    verdicts = tuple(_valid_or_stale(each, boot_seconds) for _, each in view.servers())
    phrases = problems(Snapshot(epoch_seconds, verdicts))
    states = [
        (each.in_service, each.state.name, [(code.code, code.state.name) for code in each.reasons])
        for each in verdicts
    ]
    return {
        "wrong": printable(what_is_wrong(states), 400),
        "problems": [printable(each, 400) for each in phrases[:MOST_PROBLEMS]],
        "more_problems": max(0, len(phrases) - MOST_PROBLEMS),
    }


def current_problems(health: AgentHealth) -> Sequence[str]:
    """Return the problems that the agent has at this moment, as sentences."""
    found = []
    if health.loop_age_seconds >= LATE_SECONDS:
        late = duration(health.loop_age_seconds)
        found.append(f"The agent has stood still for {late}: this page is out of date.")
    if health.waiting:
        verb = plural_of(health.waiting, "is due and has", "are due and have")
        found.append(f"{quantity(health.waiting, 'round')} {verb} not begun.")
    if health.reload_failure:
        found.append(f"{health.reload_failure}.")
    return found


def counted_errors(health: AgentHealth) -> Sequence[str]:
    """Return the errors of the agent since it started, as sentences."""
    counted = (
        (health.publish_errors, "Verdicts that could not be written or sent: {}"),
        (health.history_errors, "Writes to the history that failed: {}"),
        (
            health.history_lost,
            "Changes of verdict that were not written to the history on disk: {}",
        ),
        (
            health.history_lost_points,
            "Minutes of an operation that were not written to the history on disk: {}",
        ),
        (
            sum(health.history_cuts.values()),
            "Times that a full history (agent.history.megabytes) lost its oldest part: {}",
        ),
        (health.journal_errors, "Writes to the journal that failed: {}"),
        (health.journal_lost, "Rounds and decisions that are not in the journal: {}"),
    )
    return [sentence.format(count) for count, sentence in counted if count]


def rounds_left_out(health: AgentHealth) -> str:
    """Return a sentence on rounds that were left out, or "": slow servers are the usual cause."""
    if not health.overruns:
        return ""
    return (
        f"Rounds left out because the one before on the same server had not ended: "
        f"{health.overruns}. A server that does not answer, or needs longer than interval_seconds, "
        "has fewer rounds; the log names the servers."
    )


@cache
def _build(version: str) -> str:
    """Return an ID that changes when an open page must be reloaded."""
    return sha256((version + STYLE + SCRIPT).encode()).hexdigest()[:12]


def _sections(
    view: LiveView,
    now: BootSeconds,
    overrides: Mapping[str, CardOverride],
    addresses: Mapping[str, str],
    kept: KeptCards,
) -> list[Section]:
    servers = dict(view.servers())
    plain = kept.cards(servers, now, overrides)
    worst = sorted(plain, key=lambda server: plain[server].rank)
    few = len(worst) <= MOST_PLOTTED
    candidates = worst if few else [each for each in worst if plain[each].kind != "fine"]
    minute = newest(hour for known in servers.values() for hour in known.hours.values())
    drawn = kept.plots(servers, candidates[:MOST_PLOTTED], minute)
    opened = {*[each for each in worst if plain[each].kind in OPEN_KINDS][:MOST_OPEN]}
    cards = {
        server: replace(
            each,
            plots=drawn.get(server, ()),
            open=server in opened,
            uri=printable(addresses.get(server, ""), NAME_CHARACTERS),
            history=f"history/{quote(each.id)}",
        )
        for server, each in plain.items()
    }
    html = kept.html(cards)

    def section(name: str, of_cluster: Mapping[str, LiveServer]) -> Section:
        ordered = sorted(of_cluster, key=lambda server: cards[server].rank)
        fresh = [each.verdict for each in of_cluster.values() if not each.is_stale(now)]
        return Section(
            name=printable(name, NAME_CHARACTERS),
            serving=sum(verdict.in_service for verdict in fresh),
            cards=tuple(cards[server] for server in ordered),
            html=tuple(html[server] for server in ordered),
            matrix=matrix(fresh),
        )

    sections = [section(name, of_cluster) for name, of_cluster in view.clusters.items()]
    return sorted(sections, key=lambda each: each.rank)


def _valid_or_stale(known: LiveServer, now: BootSeconds) -> Verdict:
    """Return the verdict, or an UNKNOWN one in place of a stale verdict."""
    if not known.is_stale(now):
        return known.verdict
    return Verdict(
        server=known.verdict.server,
        state=State.UNKNOWN,
        in_service=True,
        weight=0,
        reasons=(STALE_REASON,),
    )


def _count(cards: Iterable[Card], *kinds: str) -> int:
    return sum(card.kind in kinds for card in cards)


def _worst_kind(cards: Sequence[Card]) -> str:
    """Return the kind of the worst server, or "stale" without servers."""
    worst = min((card.rank for card in cards), default=KINDS.index("stale"))
    return KINDS[worst]


def _title(cards: Sequence[Card]) -> str:
    """Return the title for the browser's tab: what is wrong and on how many servers, worst first.

    A server counts once: when it is out, or else by its state.
    """
    serving = [card for card in cards if card.kind not in ("out", "draining", "stale")]
    counted = (
        (_count(cards, "out"), "out"),
        (sum(card.state == "critical" for card in serving), "critical"),
        (_count(cards, "stale") + sum(card.state == "unknown" for card in serving), "unknown"),
        (sum(card.state == "warning" for card in serving), "warning"),
        (_count(cards, "draining"), "draining"),
    )
    parts = [f"{number} {what}" for number, what in counted if number]
    if not cards:
        parts = ["no server probed yet"]
    return f"{', '.join(parts) or f'{len(cards)} in service'} - ldaphealth"
