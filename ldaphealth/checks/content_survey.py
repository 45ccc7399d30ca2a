"""The survey of the check `content`: it compares the slices that are due on all servers.

content.py loads it when the agent runs a survey; reading a configuration does not need it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ldaphealth.checks.content import SLICE_ENTRIES, Facts, Params
from ldaphealth.content.comparison import Comparison, ComparisonLimits, TooFewError
from ldaphealth.content.continuous import MOST_KNOWN, ContinuousComparison
from ldaphealth.content.difference import Difference
from ldaphealth.content.progress import ComparisonProgress
from ldaphealth.content.reader import Reader, ReaderAccess
from ldaphealth.content.slices import Cursor
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.survey import SurveyContext, SurveyFacts, SurveyResult
from ldaphealth.text.printable import printable

ALL_ENTRIES = 40_000  # of all servers together, twice as many at most; each takes about 250 bytes
OPEN_SECONDS = 10.0
LISTED = 10  # DNs in the facts


Context = SurveyContext[Params, ContinuousComparison]


def compare_what_is_due(context: Context) -> SurveyResult[Facts, ContinuousComparison]:
    """Compare what is due by now. Kept: the `ContinuousComparison`."""
    now, cover_seconds = context.deadline.now(), context.params.cover_seconds
    wanted = min(SLICE_ENTRIES, max(1, ALL_ENTRIES // len(context.servers)))
    continuous = context.kept or ContinuousComparison(cursor=Cursor(wanted), began_at=now)
    continuous = continuous.at(now, cover_seconds).among({each.id for each in context.servers})
    not_compared: Mapping[str, str] = {}
    if continuous.known or continuous.is_due(continuous.cursor, now, cover_seconds):
        continuous, not_compared = _compare(context, continuous)
    found = {
        each.id: SurveyFacts(_facts(continuous, each.id, not_compared))
        for each in context.servers
        if each.holds(context.params.base)
    }
    return SurveyResult(found, continuous)


def _compare(
    context: Context, before: ContinuousComparison
) -> tuple[ContinuousComparison, Mapping[str, str]]:
    """Compare what is due; return the new state, and why servers were not compared, by ID."""
    progress = ComparisonProgress(
        cursor=before.cursor, most=MOST_KNOWN, unreadable=dict(before.unreadable)
    )
    comparison = Comparison(_readers(context), progress, _limits(context.params), context.pause)
    # A slice that begins in the first half of the time can end before the deadline.
    half_at = context.deadline.at - context.params.deadline_seconds / 2
    continuous = before
    try:
        comparison.begin()
        if continuous.known:
            dns = [each.dn for each in continuous.to_recheck()]
            continuous = continuous.rechecked(comparison.versions(dns))
        while context.deadline.now() < half_at and continuous.is_due(
            progress.cursor, context.deadline.now(), context.params.cover_seconds
        ):
            comparison.step()
    except TooFewError:
        pass  # not_compared has the reasons; what was compared before counts
    held = {server.id for server in context.servers if server.holds(context.params.base)}
    compared = held - progress.not_compared.keys()
    return continuous.after(progress, compared), progress.not_compared


def _readers(context: Context) -> list[Reader]:
    def deadline(seconds: float) -> Deadline:
        own = Deadline.after(seconds, context.deadline.now)
        return own if own.at < context.deadline.at else context.deadline

    access = ReaderAccess(
        opening=context.open_session,
        deadline_seconds=OPEN_SECONDS,
        deadline=deadline,
        pause=context.pause,
        entries_per_second=context.params.entries_per_second,
    )
    base = context.params.base
    values = context.params.selection
    return [Reader(each, access, base, values) for each in context.servers if each.holds(base)]


def _limits(params: Params) -> ComparisonLimits:
    return ComparisonLimits(params.wait_seconds, params.retired_server_ids)


def _facts(continuous: ContinuousComparison, server: str, not_compared: Mapping[str, str]) -> Facts:
    """Return the facts of one server."""
    odd = [each for each in continuous.known if server in each.odd]
    undecided = [each for each in continuous.known if server in each.servers and not each.odd]
    return Facts(
        passes=continuous.passes,
        part=round(continuous.cursor.part, 4),
        entries=continuous.entries.get(server, 0),
        odd=len(odd),
        odd_dns=_listed(odd),
        undecided=len(undecided),
        undecided_dns=_listed(undecided),
        not_compared=not_compared.get(server, ""),
        differing_attributes=_attributes((*odd, *undecided)),
        excluded=tuple(printable(name) for name in sorted(continuous.unreadable)[:LISTED]),
        unreadable=tuple(
            printable(name)
            for name, servers in sorted(continuous.unreadable.items())
            if server in servers
        )[:LISTED],
    )


def _attributes(differences: Sequence[Difference]) -> tuple[str, ...]:
    names = {name for each in differences for name in each.attributes}
    return tuple(printable(name) for name in sorted(names)[:LISTED])


def _listed(differences: Sequence[Difference]) -> tuple[str, ...]:
    return tuple(printable(each.dn) for each in differences[:LISTED])
