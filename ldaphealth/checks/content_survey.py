"""The survey of the check `content`: the slices that are due are compared on all servers.

content.py loads it when the agent runs a survey: reading a configuration must not pay for it.
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

ALL_ENTRIES = 40_000  # of all servers together: each takes about 250 bytes, twice as many at most
OPEN_SECONDS = 10.0
LISTED = 10  # DNs in the facts


Context = SurveyContext[Params, ContinuousComparison]


def compare_what_is_due(site: Context) -> SurveyResult[Facts, ContinuousComparison]:
    """Compare as much as is due by now. Kept: the `ContinuousComparison`."""
    now, cover_seconds = site.deadline.now(), site.params.cover_seconds
    wanted = min(SLICE_ENTRIES, max(1, ALL_ENTRIES // len(site.servers)))
    patrol = site.kept or ContinuousComparison(Cursor(wanted), now)
    patrol = patrol.at(now, cover_seconds).among({each.id for each in site.servers})
    not_compared: Mapping[str, str] = {}
    if patrol.known or patrol.is_due(patrol.cursor, now, cover_seconds):
        patrol, not_compared = _patrolled(site, patrol)
    found = {each.id: SurveyFacts(_facts(patrol, each.id, not_compared)) for each in site.servers}
    return SurveyResult(found, patrol)


def _patrolled(
    site: Context, patrol: ContinuousComparison
) -> tuple[ContinuousComparison, Mapping[str, str]]:
    """Return it as far as it is due, and why some servers were not compared."""
    progress = ComparisonProgress(cursor=patrol.cursor, most=MOST_KNOWN)
    comparison = Comparison(_readers(site), progress, _limits(site.params), site.pause)
    half_at = site.deadline.at - site.params.deadline_seconds / 2  # what is begun then may end
    try:
        comparison.begin()
        if patrol.known:
            patrol = patrol.looked(comparison.versions([each.dn for each in patrol.to_look_at()]))
        while site.deadline.now() < half_at and patrol.is_due(
            progress.cursor, site.deadline.now(), site.params.cover_seconds
        ):
            comparison.step()
    except TooFewError:
        pass  # not_compared says why; what was compared before that counts
    compared = {server.id for server in site.servers} - progress.not_compared.keys()
    return patrol.after(progress, compared), progress.not_compared


def _readers(site: Context) -> list[Reader]:
    def deadline(seconds: float) -> Deadline:
        own = Deadline.after(seconds, site.deadline.now)
        return own if own.at < site.deadline.at else site.deadline

    rate = site.params.entries_per_second
    access = ReaderAccess(
        opening=site.open_session,
        deadline_seconds=OPEN_SECONDS,
        deadline=deadline,
        pause=site.pause,
        entries_per_second=rate,
    )
    return [Reader(server, access) for server in site.servers]


def _limits(params: Params) -> ComparisonLimits:
    return ComparisonLimits(params.wait_seconds, params.retired_server_ids)


def _facts(patrol: ContinuousComparison, server: str, not_compared: Mapping[str, str]) -> Facts:
    """Return what is known of one server."""
    mine = [each for each in patrol.known if server in each.odd]
    nobodys = [each for each in patrol.known if server in each.servers and not each.odd]
    return Facts(
        passes=patrol.passes,
        part=round(patrol.cursor.part, 4),
        entries=patrol.entries.get(server, 0),
        odd=len(mine),
        odd_dns=_listed(mine),
        undecided=len(nobodys),
        undecided_dns=_listed(nobodys),
        not_compared=not_compared.get(server, ""),
    )


def _listed(differences: Sequence[Difference]) -> tuple[str, ...]:
    return tuple(printable(each.dn) for each in differences[:LISTED])
