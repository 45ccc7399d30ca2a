"""The time in which a token that is written at one provider arrives at every other server.

Providers take turns; one that came back is next. Each server is judged by the newest token of each
provider. If one server lacks a token, the finding is on that server; if most servers lack it, on
the writer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import asdict

from ldaphealth.check import Check, View
from ldaphealth.checks.canary import (
    ABOUT_OBJECT_CLASS,
    OBJECT_CLASS,
    Purpose,
    canary_dn,
    canary_mark,
    check_names,
    this_agent,
)
from ldaphealth.checks.own_entry import NOT_WRITTEN
from ldaphealth.checks.standing_findings import sides_text
from ldaphealth.checks.token import (
    Arrival,
    Outcome,
    TokenPlan,
    longest_seconds,
    write_and_watch,
)
from ldaphealth.judging.thresholds import Thresholds, at_most
from ldaphealth.ldap.names import DN
from ldaphealth.model import Finding, Metric, Role, Server, State, Trust
from ldaphealth.survey import SurveyContext, SurveyFacts, SurveyResult
from ldaphealth.text.duration import duration
from ldaphealth.text.quantity import quantity

PURPOSE: Purpose = "propagation"
MOST_READERS = 64  # in parallel; of more servers, others are watched in the next survey
WATCHED: dict[str, object] = {"least": 0.0, "most": "lost_seconds"}
Judged = tuple[State, str, str, Trust]


class Params(Struct, frozen=True, kw_only=True):
    """Settings of the check. The canaries are below `container`, which must exist."""

    container: Annotated[DN, Meta(description="the entry below which the canaries are")]
    agent: Annotated[str, Meta(description="this agent's name; empty: the host's")] = ""
    object_class: Annotated[str | tuple[str, ...], Meta(description=ABOUT_OBJECT_CLASS)] = (
        OBJECT_CLASS
    )
    base: Annotated[
        DN, Meta(description="the naming context, which has contextCSN; empty: the suffix")
    ] = DN("")
    interval_seconds: Annotated[
        float,
        Meta(ge=1, le=86400, description="the time between two tokens; providers take turns"),
    ] = 60.0
    lost_seconds: Annotated[
        float, Meta(gt=0, le=600, description="a token that has not arrived by then is lost")
    ] = 10.0
    seconds: Annotated[
        Thresholds, Meta(description="the time until the token arrives", extra=WATCHED)
    ] = at_most(2, 5)

    def __post_init__(self) -> None:
        check_names(self.container, self.agent, self.object_class)

    @property
    def deadline_seconds(self) -> float:
        """Return the hard deadline of one survey."""
        return longest_seconds(self.lost_seconds)


class Facts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The result of one token; the facts are the same for all servers.

    `writer` is the server where it was written, at `dn`; `turns` is the number of providers that
    take turns. `outcome` is the result of the write, with a `detail` if it failed. `readers` has
    what was seen at the other servers within `lost_seconds`, by server ID.
    """

    writer: str
    outcome: Outcome | Literal["alone"]
    turns: int
    dn: str = ""
    lost_seconds: float = 0.0
    detail: str = ""
    csn: str = ""
    readers: Mapping[str, Arrival] = {}


def survey(context: SurveyContext[Params, int]) -> SurveyResult[Facts, int]:
    """Write a token at the next provider, and watch the others. Kept: the number of the turn."""
    turn, params = context.kept or 0, context.params
    holders = [each for each in context.servers if each.holds(params.container)]
    providers = [each for each in holders if each.role is Role.PROVIDER]
    back = [each for each in providers if each.id in context.returned]
    writer = back[0] if back else providers[turn % len(providers)] if providers else None
    others = [each for each in holders if _is_watched(each) and each is not writer]
    if writer is None or not others:
        alone = Facts(writer="", outcome="alone", turns=max(1, len(providers)))
        return SurveyResult({each.id: SurveyFacts(alone) for each in context.servers}, turn + 1)
    agent = params.agent or this_agent()
    plan = TokenPlan(
        canary_dn(params.container, agent, writer, PURPOSE),
        canary_mark(agent, writer, PURPOSE),
        params.base,
        params.lost_seconds,
    )
    readers = _some(others, turn // len(providers))
    result = write_and_watch(context, plan, writer, readers)
    facts = Facts(
        writer=writer.id,
        outcome=result.outcome,
        turns=len(providers),
        dn=plan.dn,
        lost_seconds=plan.lost_seconds,
        detail=result.detail,
        csn=result.csn,
        readers=result.readers,
    )
    found = {each.id: SurveyFacts(facts, _timings(facts, each.id)) for each in context.servers}
    return SurveyResult(found, turn if back else turn + 1)


def _is_watched(server: Server) -> bool:
    """Return whether tokens are expected soon: a server that polls gets them with its next poll."""
    return not server.poll_interval_seconds


def _some(servers: Sequence[Server], cycle: int) -> Sequence[Server]:
    """Return at most MOST_READERS servers, other ones in each cycle."""
    if len(servers) <= MOST_READERS:
        return servers
    start = cycle * MOST_READERS % len(servers)
    return [*servers[start:], *servers[:start]][:MOST_READERS]


def _timings(token: Facts, server: str) -> Mapping[str, float]:
    seconds = _seconds(token, server)
    return {} if seconds is None else {f"from {_name(token.writer)}": seconds}


def judge(view: View[Facts], params: Params) -> Iterable[Finding]:
    """Judge one server by the newest token of each provider, as reader and as writer."""
    if view.facts.outcome == "alone":
        summary = "there is no other server to watch, or no provider to write to"
        yield view.finding(State.OK, "not_applicable", summary)
        return
    server, tokens = view.server.id, _latest_tokens(view)
    found = [
        *_as_reader(server, tokens, params),
        *_unread(server, view.facts),
        *_as_writer(server, tokens),
    ]
    metrics = tuple(_metrics(server, tokens, params))
    if not found and metrics:
        found = [(State.OK, "ok", _received_summary(server, tokens), Trust.SOFT)]
    if not found and not _is_watched(view.server):
        summary = "it polls: what is written elsewhere arrives with its next poll"
        found = [(State.OK, "not_applicable", summary, Trust.SOFT)]
    if not found:
        found = [(State.OK, "collecting", "not measured here yet", Trust.SOFT)]
    for place, (state, code, summary, trust) in enumerate(found):
        yield view.finding(state, code, summary, metrics if place == 0 else (), trust)


class _Token(Facts, frozen=True, kw_only=True):
    """A token, and how long before the newest survey it was written."""

    seconds_earlier: float


def _latest_tokens(view: View[Facts]) -> list[_Token]:
    """Return the newest token of each writer, of as many surveys as providers take turns."""
    newest: dict[str, _Token] = {}
    for each in reversed(view.own[-view.facts.turns :]):
        facts = each.facts
        if facts is not None and facts.writer and facts.writer not in newest:
            seconds = view.latest.started_at - each.started_at
            newest[facts.writer] = _Token(**asdict(facts), seconds_earlier=seconds)
    return [*reversed(newest.values())]


def _as_reader(server: str, tokens: Sequence[Facts], params: Params) -> Iterator[Judged]:
    """Yield the opinions on a server as a reader of tokens."""
    watched = [token for token in tokens if server in token.readers]
    lost = [token for token in watched if server in _lost(token) and not _is_isolated(token)]
    split = [token for token in lost if _is_split(token, tokens)]
    alone = [token for token in lost if token not in split]
    slow = [
        token
        for token in watched
        if (seconds := _seconds(token, server)) is not None
        and params.seconds.state(seconds) is not State.OK
    ]
    if alone:
        yield State.CRITICAL, "lost", _lost_summary(server, alone), Trust.SOFT
    if split:
        summary = (
            f"{_lost_summary(server, split)}; split: {_sides_of(split[-1])}, and each side lacks "
            "tokens of the other; no server is removed for a split"
        )
        yield State.CRITICAL, "split", summary, Trust.INFORMATIVE
    if slow:
        worst = max(slow, key=lambda token: _seconds(token, server) or 0.0)
        seconds = _seconds(worst, server) or 0.0
        summary = f"took {seconds:.2f} s to receive {_written_at(slow)}"
        yield params.seconds.state(seconds), "slow", summary, Trust.SOFT


def _unread(server: str, newest: Facts) -> Iterator[Judged]:
    """Yield that a server could not be read for the newest token; older tokens do not matter."""
    if server in newest.readers and _is_unread(newest, server):
        error = newest.readers[server].error
        summary = f"could not be read for {_written_at([newest])}: {error}"
        yield State.UNKNOWN, "unread", summary, Trust.LOCAL


def _as_writer(server: str, tokens: Sequence[Facts]) -> Iterator[Judged]:
    """Yield the opinions on a server as the writer of a token."""
    for token in tokens:
        if token.writer != server:
            continue
        if token.outcome in NOT_WRITTEN:
            code, summary = NOT_WRITTEN[token.outcome]
            yield State.UNKNOWN, code, summary.format(token.dn), Trust.LOCAL
        elif token.outcome == "unwritten":
            summary = f"no token could be written here: {token.detail}"
            yield State.UNKNOWN, "unwritten", summary, Trust.LOCAL
        elif _is_isolated(token):
            arrived = len(_arrived(token))
            who = "none" if not arrived else f"only {arrived}"
            summary = (
                f"{who} of {quantity(arrived + len(_lost(token)), 'server')} received the token "
                f"written here within {token.lost_seconds:g} s"
            )
            yield State.CRITICAL, "isolated", summary, Trust.SOFT


def _metrics(server: str, tokens: Sequence[Facts], params: Params) -> Iterator[Metric]:
    for token in tokens:
        seconds = _seconds(token, server)
        if seconds is not None:
            yield params.seconds.metric("propagation_seconds", seconds, _name(token.writer))


def _seconds(token: Facts, server: str) -> float | None:
    return token.readers[server].seconds if server in token.readers else None


def _arrived(token: Facts) -> list[str]:
    return [server for server in token.readers if _seconds(token, server) is not None]


def _lost(token: Facts) -> list[str]:
    """Return the servers that were seen to lack the token after `lost_seconds`."""
    return [
        server
        for server, arrival in token.readers.items()
        if arrival.seconds is None and not _is_unread(token, server)
    ]


def _is_unread(token: Facts, server: str) -> bool:
    """Return whether a reader could not be read up to `lost_seconds`, so the token is not lost."""
    arrival = token.readers[server]
    return arrival.seconds is None and (
        bool(arrival.error) or arrival.watched_seconds < token.lost_seconds
    )


def _is_isolated(token: Facts) -> bool:
    """Return whether most servers lack the token: then the finding is on its writer."""
    return len(_lost(token)) > 1 + len(_arrived(token))


def _is_split(token: Facts, tokens: Sequence[Facts]) -> bool:
    """Return whether one half lacks the token, and this half lacks a token of the other half."""
    lost = _lost(token)
    return len(lost) == 1 + len(_arrived(token)) and any(
        other.writer in lost and token.writer in _lost(other) for other in tokens
    )


def _sides_of(token: Facts) -> str:
    """Return which servers have the token, and which lack it."""
    return sides_text(sorted((sorted([token.writer, *_arrived(token)]), sorted(_lost(token)))))


def _lost_summary(server: str, tokens: Sequence[Facts]) -> str:
    limit = max(token.lost_seconds for token in tokens)
    summary = f"did not receive {_written_at(tokens)} within {limit:g} s"
    arrival = tokens[-1].readers[server]
    if not arrival.is_there:
        return f"{summary}; {tokens[-1].dn} does not exist here, or there is no right to read it"
    if arrival.csn_seconds is not None:
        return f"{summary}, although its contextCSN includes it"
    return summary


def _received_summary(server: str, tokens: Sequence[Facts]) -> str:
    arrived = [token for token in tokens if _seconds(token, server) is not None]
    longest = max(_seconds(token, server) or 0.0 for token in arrived)
    return f"received {_written_at(arrived)} within {longest:.3f} s"


def _written_at(tokens: Sequence[Facts]) -> str:
    noun = "token" if len(tokens) == 1 else "tokens"
    return f"the {noun} written at {', '.join(map(_where, tokens))}"


def _where(token: Facts) -> str:
    """Return the name of the writer, and how much earlier than the newest token that was."""
    earlier = token.seconds_earlier if isinstance(token, _Token) else 0.0
    return _name(token.writer) + (f" ({duration(earlier)} earlier)" if earlier >= 1 else "")


def _name(server: str) -> str:
    return server.partition("/")[2]


CHECK = Check(
    name="propagation",
    params=Params,
    facts=Facts,
    judge=judge,
    survey=survey,
    of_one_server=True,
    server_settings=("seconds",),
    judged_metrics={"seconds": ("propagation_seconds",)},
    single_because="the agent has one canary for each provider",
)
