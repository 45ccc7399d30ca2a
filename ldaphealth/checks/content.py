"""Whether the servers hold the same entries, slowly and for ever: what equal contextCSNs hide.

The whole tree is compared once in `cover_hours`, slice by slice (ldaphealth/content). A difference
that is told was seen twice, with every server having received in between what the others had.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from ldaphealth.check import Check
from ldaphealth.model import Finding, Metric, State, Trust
from ldaphealth.survey import SurveyContext, SurveyFacts, SurveyResult
from ldaphealth.text.printable import printable

if TYPE_CHECKING:
    from ldaphealth.check import View
    from ldaphealth.content.comparison import ComparisonLimits
    from ldaphealth.content.continuous import ContinuousComparison
    from ldaphealth.content.difference import Difference
    from ldaphealth.content.reader import Reader

STEPS = 256  # surveys in a pass, as there are slices of the first width
SHORTEST_SECONDS, LONGEST_SECONDS = 1.0, 600.0  # between two surveys
SLICE_ENTRIES = 5000
ALL_ENTRIES = 40_000  # of all servers together: each takes about 250 bytes, twice as many at most
OPEN_SECONDS = 10.0
LISTED = 10  # DNs in the facts


class Params(Struct, frozen=True):
    """Settings of the check. It is off unless `cover_hours` is given."""

    cover_hours: Annotated[
        float, Meta(ge=0.01, le=8760, description="the whole tree is compared once in this time")
    ]
    entries_per_second: Annotated[
        float, Meta(ge=1, le=100_000, description="of each server, at most")
    ] = 200.0
    wait_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=60,
            description="how long a server may take to receive what others have; after that it is "
            "left out for this time",
        ),
    ] = 30.0
    retired_server_ids: Annotated[
        tuple[int, ...], Meta(description="server IDs that write no more and may be missing")
    ] = ()

    @property
    def cover_seconds(self) -> float:
        """Return the time of one pass."""
        return self.cover_hours * 3600

    @property
    def interval_seconds(self) -> float:
        """Return the time from one survey to the next."""
        return max(SHORTEST_SECONDS, min(self.cover_seconds / STEPS, LONGEST_SECONDS))

    @property
    def deadline_seconds(self) -> float:
        """Return the hard deadline of a survey: two slices and five waits for each, and more."""
        return 900.0 + 4 * SLICE_ENTRIES / self.entries_per_second


class Facts(Struct, frozen=True, kw_only=True):
    """How far the comparison is, and what is known of one server.

    `passes` are whole ones and `part` (0 to 1) is that of the present one, in which `entries` were
    read. `odd` entries are not as on most servers; of `undecided` ones no majority says which is
    right; some of both are named. `not_compared` says why the server was left out, if it was.
    """

    passes: int
    part: float
    entries: int
    odd: int
    odd_dns: tuple[str, ...]
    undecided: int
    undecided_dns: tuple[str, ...]
    not_compared: str


Context = SurveyContext[Params, "ContinuousComparison"]


def survey(site: Context) -> SurveyResult[Facts, ContinuousComparison]:
    """Compare as much as is due by now. Kept: the `ContinuousComparison`."""
    from ldaphealth.content.continuous import ContinuousComparison  # noqa: PLC0415  the agent alone needs it
    from ldaphealth.content.slices import Cursor  # noqa: PLC0415

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
    from ldaphealth.content.comparison import Comparison, TooFewError  # noqa: PLC0415
    from ldaphealth.content.continuous import MOST_KNOWN  # noqa: PLC0415
    from ldaphealth.content.progress import ComparisonProgress  # noqa: PLC0415

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
    from ldaphealth.content.reader import Reader, ReaderAccess  # noqa: PLC0415  the agent alone needs it
    from ldaphealth.ldap.deadline import Deadline  # noqa: PLC0415

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
    from ldaphealth.content.comparison import ComparisonLimits  # noqa: PLC0415  the agent alone needs it

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


def judge(view: View[Facts], params: Params) -> Iterable[Finding]:  # noqa: ARG001  there is no threshold
    """Judge one server: what it alone has differently may take it out, if the effect is so."""
    facts = view.facts
    metrics = (
        Metric("content_odd_entries", facts.odd),
        Metric("content_undecided_entries", facts.undecided),
    )
    if facts.odd:
        summary = f"{_entries(facts.odd, facts.odd_dns)} not as on most servers"
        yield view.finding(State.CRITICAL, "diverged", summary, metrics)
    if facts.undecided:
        summary = (
            f"{_entries(facts.undecided, facts.undecided_dns)} not the same on all servers, "
            "and no majority says which is right"
        )
        yield view.finding(State.CRITICAL, "diverged", summary, metrics, Trust.INFORMATIVE)
    if facts.not_compared:
        summary = f"not compared this time: {facts.not_compared}"
        yield view.finding(State.UNKNOWN, "not_compared", summary, metrics, Trust.LOCAL)
    elif not facts.odd and not facts.undecided:
        summary = f"no difference; {facts.part:.0%} of the tree in pass {facts.passes + 1}"
        yield view.finding(State.OK, "ok", summary, metrics)


def _entries(count: int, dns: Sequence[str]) -> str:
    if count == 1:
        return f"the entry {dns[0]} is"
    return f"{count} entries, the first {dns[0]}, are"


CHECK = Check(name="content", params=Params, facts=Facts, judge=judge, survey=survey)
