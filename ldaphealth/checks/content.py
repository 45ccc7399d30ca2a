"""The continuous comparison of the entries of the servers, which equal contextCSNs do not prove.

The whole tree is compared once in `cover_hours`, slice by slice (ldaphealth/content). A difference
that is reported was seen twice; in between every server had received what the others had.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from ldaphealth.check import Check, View
from ldaphealth.csn.server_id import RetiredServerIds
from ldaphealth.ldap.names import DN
from ldaphealth.model import Finding, Metric, State, Trust
from ldaphealth.survey import SurveyContext, SurveyResult

if TYPE_CHECKING:  # only the agent loads it, in content_survey.py
    from ldaphealth.content.continuous import ContinuousComparison

STEPS = 256  # surveys in a pass, as many as slices of the first width
SHORTEST_SECONDS, LONGEST_SECONDS = 1.0, 600.0  # between two surveys
SLICE_ENTRIES = 5000


class Params(Struct, frozen=True):
    """Settings of the check. It is off unless `cover_hours` is given."""

    cover_hours: Annotated[
        float, Meta(ge=0.01, le=8760, description="the whole tree is compared once in this time")
    ]
    base: Annotated[
        DN,
        Meta(description="the naming context to compare, which has contextCSN; empty: the suffix"),
    ] = DN("")
    entries_per_second: Annotated[
        float, Meta(ge=1, le=100_000, description="the entries to read from each server, at most")
    ] = 200.0
    wait_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=60,
            description="the time for a server to receive what others have; after that it is not "
            "compared in this run",
        ),
    ] = 30.0
    retired_server_ids: RetiredServerIds = ()

    @property
    def cover_seconds(self) -> float:
        """Return the seconds of one pass."""
        return self.cover_hours * 3600

    @property
    def interval_seconds(self) -> float:
        """Return the seconds from one survey to the next."""
        return max(SHORTEST_SECONDS, min(self.cover_seconds / STEPS, LONGEST_SECONDS))

    @property
    def deadline_seconds(self) -> float:
        """Return the deadline of a survey: enough for two slices with five waits each."""
        return 900.0 + 4 * SLICE_ENTRIES / self.entries_per_second


class Facts(Struct, frozen=True, kw_only=True):
    """The progress of the comparison, and the differences of one server.

    `passes` is the number of complete passes. `part` (0 to 1) is the progress of the current pass,
    in which `entries` were read. `odd` entries differ from most servers; `undecided` entries differ
    without a majority. The first DNs of both are listed. `not_compared` is the reason if the server
    was not compared, else "".
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
    """Compare what is due by now (content_survey.py)."""
    from ldaphealth.checks.content_survey import compare_what_is_due  # noqa: PLC0415  agent only

    return compare_what_is_due(context)


def judge(view: View[Facts], params: Params) -> Iterable[Finding]:  # noqa: ARG001  there is no threshold
    """Judge one server by its differences; only odd entries may take it out of service."""
    facts = view.facts
    metrics = (
        Metric("content_odd_entries", facts.odd),
        Metric("content_undecided_entries", facts.undecided),
    )
    if facts.odd:
        summary = f"{_entries(facts.odd, facts.odd_dns)} from most servers"
        yield view.finding(State.CRITICAL, "diverged", summary, metrics)
    if facts.undecided:
        summary = (
            f"{_entries(facts.undecided, facts.undecided_dns)} between servers, without a majority "
            "for one version"
        )
        yield view.finding(State.CRITICAL, "diverged", summary, metrics, Trust.INFORMATIVE)
    if facts.not_compared:
        summary = f"not compared in this run: {facts.not_compared}"
        yield view.finding(State.UNKNOWN, "not_compared", summary, metrics, Trust.LOCAL)
    elif not facts.odd and not facts.undecided:
        summary = (
            f"no difference; pass {facts.passes + 1} has compared {facts.part:.0%} of the tree"
        )
        yield view.finding(State.OK, "ok", summary, metrics)


def _entries(count: int, dns: Sequence[str]) -> str:
    if count == 1:
        return f"the entry {dns[0]} differs"
    return f"{count} entries, the first {dns[0]}, differ"


CHECK = Check(
    name="content", params=Params, facts=Facts, judge=judge, survey=survey, of_one_server=True
)
