"""The page at `/` for people on call: one document without external resources.

Style and script are inline and permitted by their hashes (Content Security Policy Level 3), so the
page is complete when it is saved or comes through a proxy. Send it with `HEADERS`. The script
fetches the page again and replaces what has changed; the page is complete without it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup
from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.clocks import BootSeconds, EpochSeconds
from ldaphealth.live.health import LATE_SECONDS, AgentHealth
from ldaphealth.live.live_server import LiveServer
from ldaphealth.live.live_state import DatedChange, LiveView
from ldaphealth.model import CheckEffect, Reason, Snapshot, State, Verdict
from ldaphealth.page.lag_matrix import Matrix, matrix
from ldaphealth.page.plot import newest, plots
from ldaphealth.page.server_card import (
    KINDS,
    NAME_CHARACTERS,
    STALE,
    Card,
    CardOverride,
    card,
    side,
)
from ldaphealth.publishers.publication import VerdictChange, ended_override_document
from ldaphealth.sinks.json_document import override_document
from ldaphealth.sinks.summary import problems
from ldaphealth.tables.service_line import what_is_wrong
from ldaphealth.text.duration import duration
from ldaphealth.text.moment import moment
from ldaphealth.text.override_words import ended_override_words, override_words
from ldaphealth.text.printable import printable
from ldaphealth.text.quantity import plural_of, quantity

TEMPLATES = Path(__file__).parent / "templates"
STALE_REASON = Reason(STALE, "", State.UNKNOWN, CheckEffect.WATCH, removes=False)
MOST_CHANGES = 20
OPEN_KINDS = ("out", "stale", "critical", "held", "warned")
HALF_A_DAY = 43_200.0
MOST_PROBLEMS = 8
MOST_OPEN = 8
MOST_PLOTTED = 24  # servers, the worst first; if there are more, none that are fine

STYLE, SCRIPT = ((TEMPLATES / name).read_text("utf-8") for name in ("page.css", "page.js"))


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


POLICY = (
    f"default-src 'none'; style-src {_hash(STYLE)}; script-src {_hash(SCRIPT)}; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Section(Struct, frozen=True):
    """One cluster on the page."""

    name: str
    serving: int
    cards: tuple[Card, ...]
    matrix: Matrix | None

    @property
    def rank(self) -> int:
        """Return the position on the page: the cluster with the worst server first."""
        return min((card.rank for card in self.cards), default=len(KINDS))


class FoldedChange(Struct, frozen=True):
    """A change of verdict, and how many before it kept its server on the same side, since when."""

    dated: DatedChange
    number: int
    since_epoch: EpochSeconds


class ChangeRow(Struct, frozen=True, kw_only=True):
    """A change of verdict as text; `repeated` is how often, if more than once."""

    server: str
    at: str  # RFC 3339
    clock: str
    ago: str
    kind: str
    text: str
    why: str
    repeated: str = ""


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
) -> str:
    """Return the page. Pure; any thread may call it.

    `boot_seconds` decides which verdicts are stale; `epoch_seconds` is the time that is shown.
    `host` is the balancer's name. `addresses` are the URIs of the servers, and `overrides` the
    operators' overrides in force, by server ID.
    `floors` are sentences on clusters with too few servers in service. `links` are other pages of
    the agent, each a path and its description.
    """
    sections = _sections(view, boot_seconds, overrides or {}, addresses or {})
    version = printable(health.version, 64)
    return _template().render(
        style=Markup(STYLE),  # noqa: S704  a file of this package
        script=Markup(SCRIPT),  # noqa: S704  a file of this package
        build=_build(version),
        version=version,
        host=printable(host, 64),
        sections=sections,
        now=_clock(epoch_seconds),
        now_rfc3339=moment(epoch_seconds),
        floors=[printable(each, 400) for each in floors[:MOST_PROBLEMS]],
        changes=[_change_row(each, epoch_seconds) for each in folded(view.changes)[:MOST_CHANGES]],
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
        found.append(f"The agent's main loop has not run for {late}: this page is out of date.")
    if health.waiting:
        waiting, threads = quantity(health.waiting, "round"), quantity(health.threads, "thread")
        verb = plural_of(health.waiting, "waits", "wait")
        found.append(f"{waiting} {verb} for one of {threads}.")
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
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["quantity"] = quantity
    return environment.get_template("page.html")


@cache
def _build(version: str) -> str:
    """Return an ID that changes when an open page must be reloaded."""
    return sha256((version + STYLE + SCRIPT).encode()).hexdigest()[:12]


def _sections(
    view: LiveView,
    now: BootSeconds,
    overrides: Mapping[str, CardOverride],
    addresses: Mapping[str, str],
) -> list[Section]:
    built = [_section(name, servers, now, overrides) for name, servers in view.clusters.items()]
    cards = (each for section in built for each in section.cards)
    worst = sorted(cards, key=lambda each: each.rank)
    few = len(worst) <= MOST_PLOTTED
    candidates = worst if few else [each for each in worst if each.kind != "fine"]
    plotted = {each.id for each in candidates[:MOST_PLOTTED]}
    opened = {each.id for each in [each for each in worst if each.kind in OPEN_KINDS][:MOST_OPEN]}
    minute = newest(hour for each in worst for hour in each.hours.values())

    def detailed(card: Card) -> Card:
        drawn = plots(card.hours, minute) if card.id in plotted else ()
        uri = printable(addresses.get(card.id, ""), NAME_CHARACTERS)
        return replace(card, plots=drawn, open=card.id in opened, uri=uri)

    sections = [replace(each, cards=tuple(map(detailed, each.cards))) for each in built]
    return sorted(sections, key=lambda section: section.rank)


def _section(
    name: str,
    servers: Mapping[str, LiveServer],
    now: BootSeconds,
    overrides: Mapping[str, CardOverride],
) -> Section:
    cards = [card(known, now, overrides.get(server)) for server, known in servers.items()]
    fresh = [each.verdict for each in servers.values() if not each.is_stale(now)]
    return Section(
        printable(name, NAME_CHARACTERS),
        sum(verdict.in_service for verdict in fresh),
        tuple(sorted(cards, key=lambda each: each.rank)),
        matrix(fresh),
    )


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


def folded(changes: Iterable[DatedChange]) -> list[FoldedChange]:
    """Return the changes, newest first, with one for all that kept a server on the same side.

    Each stands where the newest of them was. A change of side of the same server ends it.
    """
    rows: dict[int, FoldedChange] = {}
    newest: dict[str, int] = {}  # the row of each server that goes on
    for place, dated in enumerate(changes):
        server, epoch = dated.change.after.server, dated.epoch_seconds
        at = newest.get(server) if _is_still(dated) else None
        if at is None:
            rows[place] = FoldedChange(dated, 1, epoch)
            newest.pop(server, None)
            if _is_still(dated):
                newest[server] = place
        else:
            rows[at] = FoldedChange(rows[at].dated, rows[at].number + 1, epoch)
    return [*rows.values()]


def _is_still(dated: DatedChange) -> bool:
    before = dated.change.before
    return before is not None and side(before) == side(dated.change.after)


def _change_row(one: FoldedChange, epoch_seconds: EpochSeconds) -> ChangeRow:
    dated = one.dated
    before, after = dated.change.before, dated.change.after
    now, was = side(after), side(before) if before else ""
    if not was:
        text = f"first verdict: {now}"
    elif was == now:
        text = f"still {now}" + (f", {after.state.name.lower()}" if after.state.value else "")
    else:
        text = f"{was} → {now}"
    if after.in_service:
        kind = {State.OK: "fine", State.CRITICAL: "critical"}.get(after.state, "warned")
    else:
        kind = "draining" if after.draining else "out"
    ago = max(0.0, epoch_seconds - dated.epoch_seconds)
    codes = ", ".join(printable(each.code, 64) for each in after.reasons[:3])
    held = f"held by {printable(after.held_by, 64)}" if after.held_by else ""
    since = _clock(one.since_epoch, dated=epoch_seconds - one.since_epoch >= HALF_A_DAY)
    return ChangeRow(
        server=printable(after.server, NAME_CHARACTERS),
        at=moment(dated.epoch_seconds),
        clock=_clock(dated.epoch_seconds, dated=ago >= HALF_A_DAY),
        ago=duration(ago),
        kind=kind,
        text=text,
        why="; ".join(filter(None, (codes, held, _order(dated.change)))),
        repeated=f"({quantity(one.number, 'time')} since {since})" if one.number > 1 else "",
    )


def _order(change: VerdictChange) -> str:
    """Return the override in force or just ended, in words."""
    if change.after.override is not None:
        return override_words(override_document(change.after.override))
    ended = ended_override_document(change)
    return "" if ended is None else ended_override_words(ended)


def _clock(epoch_seconds: EpochSeconds, *, dated: bool = False) -> str:
    pattern = "%Y-%m-%d %H:%M" if dated else "%H:%M:%S"
    return datetime.fromtimestamp(epoch_seconds, UTC).strftime(pattern)
