"""A token written at one provider, watched for on every other server: how long it takes, or lost.

Providers take turns. Each server is judged by the newest token of each of them; what one server
lacks is its own trouble, what most servers lack is that of the one that wrote it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from ldaphealth.check import Check, View
from ldaphealth.checks.canary import NAME, Purpose, canary_dn, canary_mark, this_agent
from ldaphealth.checks.own_entry import NOT_OURS
from ldaphealth.checks.token import (
    Arrival,
    Outcome,
    TokenPlan,
    longest_seconds,
    write_and_watch,
)
from ldaphealth.judging.thresholds import Thresholds, at_most
from ldaphealth.model import Finding, Metric, Role, Server, State, Trust
from ldaphealth.survey import SurveyContext, SurveyFacts, SurveyResult

PURPOSE: Purpose = "propagation"
MOST_READERS = 64  # side by side; of more servers others are watched the next time
Judged = tuple[State, str, str, Trust]


class Params(Struct, frozen=True, kw_only=True):
    """Settings of the check. The canaries are below `container`, which must exist."""

    container: Annotated[str, Meta(description="the entry below which the canaries are")]
    agent: Annotated[str, Meta(description="this agent's name; empty: the host's")] = ""
    base: Annotated[
        str, Meta(description="where contextCSN is: the naming context; empty: the suffix")
    ] = ""
    interval_seconds: Annotated[
        float,
        Meta(ge=1, le=86400, description="a provider writes once in this time; they take turns"),
    ] = 60.0
    lost_seconds: Annotated[
        float, Meta(gt=0, le=600, description="what did not arrive until then is lost")
    ] = 10.0
    seconds: Annotated[Thresholds, Meta(description="the time until it arrives")] = at_most(2, 5)

    def __post_init__(self) -> None:
        if self.agent and not NAME.fullmatch(self.agent):
            raise ValueError("agent is a name of letters, digits, dot, dash and underscore")

    @property
    def deadline_seconds(self) -> float:
        """Return the hard deadline of one survey."""
        return longest_seconds(self.lost_seconds)


class Facts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one token; the facts are the same for all servers.

    `writer` is the server where it was written, at `dn`; `turns` is how many providers take turns.
    `outcome` is what became of the write, with a `detail` where it failed. `readers` has what was
    seen at the other servers within `lost_seconds`, by server ID.
    """

    writer: str
    outcome: Outcome | Literal["alone"]
    turns: int
    dn: str = ""
    lost_seconds: float = 0.0
    detail: str = ""
    csn: str = ""
    readers: Mapping[str, Arrival] = {}


def survey(site: SurveyContext[Params, int]) -> SurveyResult[Facts, int]:
    """Have the provider whose turn it is write, and watch the others. Kept: the turn's number."""
    turn = site.kept or 0
    providers = [each for each in site.servers if each.role is Role.PROVIDER]
    if not providers or len(site.servers) == 1:
        alone = Facts(writer="", outcome="alone", turns=1)
        return SurveyResult({each.id: SurveyFacts(alone) for each in site.servers}, turn)
    writer = providers[turn % len(providers)]
    others = [each for each in site.servers if each is not writer]
    agent = site.params.agent or this_agent()
    assignment = TokenPlan(
        canary_dn(site.params.container, agent, writer, PURPOSE),
        canary_mark(agent, writer, PURPOSE),
        site.params.base,
        site.params.lost_seconds,
    )
    readers = _some(others, turn // len(providers))
    written = write_and_watch(site, assignment, writer, readers)
    story = Facts(
        writer=writer.id,
        outcome=written.outcome,
        turns=len(providers),
        dn=assignment.dn,
        lost_seconds=assignment.lost_seconds,
        detail=written.detail,
        csn=written.csn,
        readers=written.readers,
    )
    found = {each.id: SurveyFacts(story, _timings(story, each.id)) for each in site.servers}
    return SurveyResult(found, turn + 1)


def _some(servers: Sequence[Server], cycle: int) -> Sequence[Server]:
    if len(servers) <= MOST_READERS:
        return servers
    start = cycle * MOST_READERS % len(servers)
    return [*servers[start:], *servers[:start]][:MOST_READERS]


def _timings(story: Facts, server: str) -> Mapping[str, float]:
    seconds = _seconds(story, server)
    return {} if seconds is None else {f"from {_name(story.writer)}": seconds}


def judge(view: View[Facts], params: Params) -> Iterable[Finding]:
    """Judge one server by the newest token of each provider, as reader and as writer."""
    if view.facts.outcome == "alone":
        summary = "there is no other server to watch, or no provider to write to"
        yield view.finding(State.OK, "not_applicable", summary)
        return
    me, stories = view.server.id, _latest_stories(view)
    told = [
        *_as_reader(me, stories, params),
        *_unread(me, view.facts),
        *_as_writer(me, stories),
    ]
    metrics = tuple(_metrics(me, stories, params))
    if not told and metrics:
        told = [(State.OK, "ok", _fine_sentence(me, stories), Trust.SOFT)]
    if not told:
        told = [(State.OK, "collecting", "nothing was watched for here yet", Trust.SOFT)]
    for place, (state, code, summary, trust) in enumerate(told):
        yield view.finding(state, code, summary, metrics if place == 0 else (), trust)


def _latest_stories(view: View[Facts]) -> list[Facts]:
    """Return the newest story of each writer; one that had its turn again has no older one."""
    recent = [
        facts
        for each in view.own[-view.facts.turns :]
        if (facts := each.facts) is not None and facts.writer
    ]
    return [*{story.writer: story for story in recent}.values()]


def _as_reader(me: str, stories: Sequence[Facts], params: Params) -> Iterator[Judged]:
    mine = [story for story in stories if me in story.readers]
    lost = [story for story in mine if me in _lost(story) and not _is_isolated(story)]
    split = [story for story in lost if _is_split(story, stories)]
    alone = [story for story in lost if story not in split]
    slow = [
        story
        for story in mine
        if (seconds := _seconds(story, me)) is not None
        and params.seconds.state(seconds) is not State.OK
    ]
    if alone:
        yield State.CRITICAL, "lost", _lost_sentence(me, alone), Trust.SOFT
    if split:
        summary = f"{_lost_sentence(me, split)}; nor did that receive what was written here"
        yield State.CRITICAL, "split", f"{summary}; nobody is removed for it", Trust.INFORMATIVE
    if slow:
        worst = max(slow, key=lambda story: _seconds(story, me) or 0.0)
        seconds = _seconds(worst, me) or 0.0
        summary = f"took {seconds:.2f} s to receive what was written at {_names(slow)}"
        yield params.seconds.state(seconds), "slow", summary, Trust.SOFT


def _unread(me: str, newest: Facts) -> Iterator[Judged]:
    """Tell it of the newest token alone: that a server was restarted is nobody's business after."""
    if me in newest.readers and _is_unread(newest, me):
        trouble = newest.readers[me].trouble
        summary = f"could not be watched for what was written at {_names([newest])}: {trouble}"
        yield State.UNKNOWN, "unread", summary, Trust.LOCAL


def _as_writer(me: str, stories: Sequence[Facts]) -> Iterator[Judged]:
    for story in stories:
        if story.writer != me:
            continue
        if story.outcome in NOT_OURS:
            code, summary = NOT_OURS[story.outcome]
            yield State.UNKNOWN, code, summary.format(story.dn), Trust.LOCAL
        elif story.outcome == "unwritten":
            summary = f"nothing could be written here to watch for: {story.detail}"
            yield State.UNKNOWN, "unwritten", summary, Trust.LOCAL
        elif _is_isolated(story):
            got = len(_arrived(story))
            who = "none" if not got else f"only {got}"
            count = got + len(_lost(story))
            summary = (
                f"{who} of {count} servers received within {story.lost_seconds:g} s what was "
                "written here"
            )
            yield State.CRITICAL, "isolated", summary, Trust.SOFT


def _metrics(me: str, stories: Sequence[Facts], params: Params) -> Iterator[Metric]:
    for story in stories:
        seconds = _seconds(story, me)
        if seconds is not None:
            yield params.seconds.metric("propagation_seconds", seconds, _name(story.writer))


def _seconds(story: Facts, server: str) -> float | None:
    return story.readers[server].seconds if server in story.readers else None


def _arrived(story: Facts) -> list[str]:
    return [server for server in story.readers if _seconds(story, server) is not None]


def _lost(story: Facts) -> list[str]:
    """Return who was seen, at the end of the wait, not to have it."""
    return [
        server
        for server, seen in story.readers.items()
        if seen.seconds is None and not _is_unread(story, server)
    ]


def _is_unread(story: Facts, server: str) -> bool:
    """Tell whether a reader could not be read when it mattered: that is its own trouble."""
    seen = story.readers[server]
    return seen.seconds is None and (
        bool(seen.trouble) or seen.watched_seconds < story.lost_seconds
    )


def _is_isolated(story: Facts) -> bool:
    """Tell whether most servers lack it: then the one that wrote it is cut off, and not they."""
    return len(_lost(story)) > 1 + len(_arrived(story))


def _is_split(story: Facts, stories: Sequence[Facts]) -> bool:
    """Tell whether halves lack each other's: as many lack it as have it, and write unheard."""
    lost = _lost(story)
    return len(lost) == 1 + len(_arrived(story)) and any(
        other.writer in lost and story.writer in _lost(other) for other in stories
    )


def _lost_sentence(me: str, stories: Sequence[Facts]) -> str:
    limit = max(story.lost_seconds for story in stories)
    sentence = f"did not receive within {limit:g} s what was written at {_names(stories)}"
    seen = stories[-1].readers[me]
    if not seen.is_there:
        return f"{sentence}; {stories[-1].dn} is not here at all, or not for us to read"
    if seen.csn_seconds is not None:
        return f"{sentence}, although its contextCSN says so"
    return sentence


def _fine_sentence(me: str, stories: Sequence[Facts]) -> str:
    arrived = [story for story in stories if _seconds(story, me) is not None]
    longest = max(_seconds(story, me) or 0.0 for story in arrived)
    return f"received within {longest:.3f} s what was written at {_names(arrived)}"


def _names(stories: Sequence[Facts]) -> str:
    return ", ".join(_name(story.writer) for story in stories)


def _name(server: str) -> str:
    return server.partition("/")[2]


CHECK = Check(name="propagation", params=Params, facts=Facts, judge=judge, survey=survey)
