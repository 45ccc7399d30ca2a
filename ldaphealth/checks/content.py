"""Whether the servers hold the same entries, slowly and for ever: what equal contextCSNs hide.

The whole tree is compared once in `cover_hours`, slice by slice (ldaphealth/content). A difference
that is told was seen twice, with every server having received in between what the others had.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from ldaphealth.check import Check, View
from ldaphealth.model import Finding, Metric, State, Trust
from ldaphealth.survey import SurveyContext, SurveyResult

if TYPE_CHECKING:  # the agent alone loads it, in content_survey.py
    from ldaphealth.content.continuous import ContinuousComparison

STEPS = 256  # surveys in a pass, as there are slices of the first width
SHORTEST_SECONDS, LONGEST_SECONDS = 1.0, 600.0  # between two surveys
SLICE_ENTRIES = 5000


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


def survey(
    context: SurveyContext[Params, ContinuousComparison],
) -> SurveyResult[Facts, ContinuousComparison]:
    """Compare as much as is due by now; content_survey.py does it."""
    from ldaphealth.checks.content_survey import compare_what_is_due  # noqa: PLC0415  the agent alone

    return compare_what_is_due(context)


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
