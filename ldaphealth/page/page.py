"""The page at `/` for people on call: one document without anything from elsewhere.

Style and script stand in the page and are allowed by their hashes (Content Security Policy
Level 3), so a page that was saved, or is seen through a proxy, is whole. Send it with `HEADERS`.
The script fetches the page again and puts what is new in its place; without it, it is as good.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup
from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.clocks import BootSeconds, EpochSeconds
from ldaphealth.live.health import LATE_SECONDS, AgentHealth
from ldaphealth.live.live_state import DatedChange, LiveServer, LiveView
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
from ldaphealth.sinks.summary import troubles
from ldaphealth.text.duration import duration
from ldaphealth.text.printable import printable

TEMPLATES = Path(__file__).parent / "templates"
NOT_FRESH = Reason(STALE, "", State.UNKNOWN, CheckEffect.WATCH, removes=False)
MOST_CHANGES = 20
GRAVE = ("out", "stale", "held")
HALF_A_DAY = 43_200.0
MOST_TROUBLES = 8
MOST_OPEN = 8
MOST_PLOTTED = 24  # servers, the worst; of more than these only those that are not fine

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
        """Return where it stands on the page: the one with the worst server first."""
        return min((card.rank for card in self.cards), default=len(KINDS))


class ChangeRow(Struct, frozen=True, kw_only=True):
    """A change of verdict in words."""

    server: str
    at: str  # RFC 3339
    clock: str
    ago: str
    kind: str
    words: str
    why: str


def render(  # noqa: PLR0913  the moment by both clocks
    view: LiveView,
    health: AgentHealth,
    *,
    boot_seconds: BootSeconds,
    epoch_seconds: EpochSeconds,
    host: str = "",
    words: Mapping[str, CardOverride] | None = None,
    links: Sequence[tuple[str, str]] = (),
) -> str:
    """Return the page. Pure; any thread may call it.

    `boot_seconds` decides which verdicts hold no more, `epoch_seconds` is the time for people.
    `host` is the balancer's name, `words` the operators' words in force by server ID.
    `links` are other pages of the agent, each a path and what it is.
    """
    sections = _sections(view, boot_seconds, words or {})
    cards = [card for section in sections for card in section.cards]
    told = tuple(_told(each, boot_seconds) for _, each in view.servers())
    phrases = troubles(Snapshot(epoch_seconds, told))
    version = printable(health.version, 64)
    serving, out = sum(section.serving for section in sections), _count(cards, "out", "draining")
    stale = _count(cards, "stale")
    return _template().render(
        style=Markup(STYLE),  # noqa: S704  ours
        script=Markup(SCRIPT),  # noqa: S704  ours
        build=_build(version),
        version=version,
        host=printable(host, 64),
        title=_title(len(cards), out, stale),
        sections=sections,
        serving=serving,
        whole=len(cards),
        most_plotted=MOST_PLOTTED,
        unseen=max(0, health.servers - len(cards)),
        mood=_mood(cards),
        phrases=[printable(each, 400) for each in phrases[:MOST_TROUBLES]],
        more_phrases=max(0, len(phrases) - MOST_TROUBLES),
        now=_clock(epoch_seconds),
        now_rfc3339=_rfc3339(epoch_seconds),
        changes=[_shown(each, epoch_seconds) for each in view.changes[:MOST_CHANGES]],
        links=links,
        here={card.id for card in cards},
        health=health,
        up=duration(health.up_seconds),
        ailing_now=ailing_now(health),
        ailments=ailments(health),
    )


def ailing_now(health: AgentHealth) -> Sequence[str]:
    """Return what the agent itself suffers from at this moment, in sentences."""
    found = []
    if health.loop_age_seconds >= LATE_SECONDS:
        late = duration(health.loop_age_seconds)
        found.append(f"The agent has not come round for {late}: nothing here is newer.")
    if health.waiting:
        found.append(f"{health.waiting} looks wait for one of {health.threads} threads.")
    return found


def ailments(health: AgentHealth) -> Sequence[str]:
    """Return what the agent itself suffered from since it began, in sentences."""
    counted = (
        (health.overruns, "Rounds left out, because the one before had not ended: {}"),
        (health.publish_errors, "Verdicts that could not be written or sent: {}"),
        (health.history_errors, "Writes to the history that failed: {}"),
        (health.history_lost, "Changes of verdict that never reached the history on disk: {}"),
    )
    return [sentence.format(count) for count, sentence in counted if count]


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
    return environment.get_template("page.html")


@cache
def _build(version: str) -> str:
    """Return what differs when a page that is open somewhere must be loaded anew."""
    return sha256((version + STYLE + SCRIPT).encode()).hexdigest()[:12]


def _sections(view: LiveView, now: BootSeconds, words: Mapping[str, CardOverride]) -> list[Section]:
    made = [_section(name, servers, now, words) for name, servers in view.clusters.items()]
    worst = sorted((each for one in made for each in one.cards), key=lambda each: each.rank)
    news = worst if len(worst) <= MOST_PLOTTED else [each for each in worst if each.kind != "fine"]
    plotted = {each.id for each in news[:MOST_PLOTTED]}
    opened = {each.id for each in [each for each in worst if each.kind in GRAVE][:MOST_OPEN]}
    minute = newest(hour for each in worst for hour in each.hours.values())

    def detailed(card: Card) -> Card:
        table = plots(card.hours, minute) if card.id in plotted else ()
        return replace(card, plots=table, open=card.id in opened)

    sections = [replace(one, cards=tuple(map(detailed, one.cards))) for one in made]
    return sorted(sections, key=lambda section: section.rank)


def _section(
    name: str,
    servers: Mapping[str, LiveServer],
    now: BootSeconds,
    words: Mapping[str, CardOverride],
) -> Section:
    cards = [card(known, now, words.get(server)) for server, known in servers.items()]
    fresh = [each.verdict for each in servers.values() if not each.is_stale(now)]
    return Section(
        printable(name, NAME_CHARACTERS),
        sum(verdict.in_service for verdict in fresh),
        tuple(sorted(cards, key=lambda each: each.rank)),
        matrix(fresh),
    )


def _told(known: LiveServer, now: BootSeconds) -> Verdict:
    """Return the verdict, or one that says no more than that it is stale."""
    if not known.is_stale(now):
        return known.verdict
    return Verdict(
        server=known.verdict.server,
        state=State.UNKNOWN,
        in_service=True,
        weight=0,
        reasons=(NOT_FRESH,),
    )


def _count(cards: Iterable[Card], *kinds: str) -> int:
    return sum(card.kind in kinds for card in cards)


def _mood(cards: Sequence[Card]) -> str:
    """Return the kind of the worst server; draining is wanted, so it is no alarm."""
    worst = min((card.rank for card in cards), default=KINDS.index("stale"))
    return KINDS[worst]


def _title(whole: int, out: int, stale: int) -> str:
    """Return what a browser's tab shows: the number that is wrong comes first."""
    parts = [f"{out} out"] if out else []
    parts += [f"{stale} unknown"] if stale else []
    if not whole:
        parts = ["nothing seen yet"]
    return f"{', '.join(parts) or f'{whole} in service'} - ldaphealth"


def _shown(dated: DatedChange, epoch_seconds: EpochSeconds) -> ChangeRow:
    before, after = dated.change.before, dated.change.after
    now, was = side(after), side(before) if before else ""
    if not was:
        words = f"first verdict: {now}"
    elif was == now:
        words = f"still {now}" + (f", {after.state.name.lower()}" if after.state.value else "")
    else:
        words = f"{was} → {now}"
    if after.in_service:
        kind = "fine" if after.state is State.OK else "warned"
    else:
        kind = "draining" if after.draining else "out"
    ago = max(0.0, epoch_seconds - dated.epoch_seconds)
    codes = ", ".join(printable(each.code, 64) for each in after.reasons[:3])
    held = f"held by {printable(after.held_by, 64)}" if after.held_by else ""
    return ChangeRow(
        server=printable(after.server, NAME_CHARACTERS),
        at=_rfc3339(dated.epoch_seconds),
        clock=_clock(dated.epoch_seconds, dated=ago >= HALF_A_DAY),
        ago=duration(ago),
        kind=kind,
        words=words,
        why="; ".join(filter(None, (codes, held))),
    )


def _clock(epoch_seconds: EpochSeconds, *, dated: bool = False) -> str:
    form = "%Y-%m-%d %H:%M" if dated else "%H:%M:%S"
    return datetime.fromtimestamp(epoch_seconds, UTC).strftime(form)


def _rfc3339(epoch_seconds: EpochSeconds) -> str:
    return datetime.fromtimestamp(epoch_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
