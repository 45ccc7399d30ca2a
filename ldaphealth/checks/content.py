"""The continuous comparison of the entries of the servers, which equal contextCSNs do not prove.

The whole tree is compared once in `cover_hours`, slice by slice (ldaphealth/content). A difference
that is reported was seen twice; in between every server had received what the others had.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from ldaphealth.check import Check, View
from ldaphealth.content.values import NAME, ValueSelection
from ldaphealth.csn.server_id import RetiredServerIds
from ldaphealth.ldap.names import DN
from ldaphealth.model import Finding, Metric, State, Trust
from ldaphealth.survey import SurveyContext, SurveyResult

if TYPE_CHECKING:  # only the agent loads it, in content_survey.py
    from ldaphealth.content.continuous import ContinuousComparison

STEPS = 256  # surveys in a pass, as many as slices of the first width
SHORTEST_SECONDS, LONGEST_SECONDS = 1.0, 600.0  # between two surveys
SLICE_ENTRIES = 5000


class Params(Struct, frozen=True, kw_only=True):
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
    values: Annotated[
        bool,
        Meta(
            description="also compare the values of all user attributes that the account may read "
            "(docs/content.md has what that costs)"
        ),
    ] = False
    values_except: Annotated[
        tuple[str, ...], Meta(description="attributes whose values are not compared")
    ] = ()

    def __post_init__(self) -> None:
        for name in self.values_except:
            if not NAME.fullmatch(name):
                raise ValueError(f"values_except: {name[:80]!a} is not the name of an attribute")
        if self.values_except and not self.values:
            raise ValueError("values_except needs values: true")

    @property
    def selection(self) -> ValueSelection:
        """Return which values are compared."""
        return ValueSelection(is_on=self.values).without(self.values_except)

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
    was not compared, else "". `differing_attributes` are those whose values differ under the same
    entryCSN. `excluded` are attributes that some servers do not let the account read, and whose
    values are not compared; `unreadable` those of this server.
    """

    passes: int
    part: float
    entries: int
    odd: int
    odd_dns: tuple[str, ...]
    undecided: int
    undecided_dns: tuple[str, ...]
    not_compared: str
    differing_attributes: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()


def survey(
    context: SurveyContext[Params, ContinuousComparison],
) -> SurveyResult[Facts, ContinuousComparison]:
    """Compare what is due by now (content_survey.py)."""
    from ldaphealth.checks.content_survey import compare_what_is_due  # noqa: PLC0415  agent only

    return compare_what_is_due(context)


def judge(view: View[Facts], params: Params) -> Iterable[Finding]:
    """Judge one server by its differences; only odd entries may take it out of service."""
    facts = view.facts
    metrics = (
        Metric("content_odd_entries", facts.odd),
        Metric("content_undecided_entries", facts.undecided),
    )
    values = _under_one_csn(facts.differing_attributes)
    if facts.odd:
        summary = f"{_entries(facts.odd, facts.odd_dns)} from most servers{values}"
        yield view.finding(State.CRITICAL, "diverged", summary, metrics)
    if facts.undecided:
        summary = (
            f"{_entries(facts.undecided, facts.undecided_dns)} between servers, without a majority "
            f"for one version{values}"
        )
        yield view.finding(State.CRITICAL, "diverged", summary, metrics, Trust.INFORMATIVE)
    if facts.not_compared:
        summary = f"not compared in this run: {facts.not_compared}"
        yield view.finding(State.UNKNOWN, "not_compared", summary, metrics, Trust.LOCAL)
    if facts.unreadable:
        summary = (
            f"the values of {', '.join(facts.unreadable)} are not compared: this server does not "
            "let the account read them, and others do"
        )
        yield view.finding(State.UNKNOWN, "not_compared", summary, metrics, Trust.LOCAL)
    if not (facts.odd or facts.undecided or facts.not_compared or facts.unreadable):
        summary = (
            f"no difference; pass {facts.passes + 1} has compared {facts.part:.0%} of the tree"
            f"{_what(params, facts)}"
        )
        yield view.finding(State.OK, "ok", summary, metrics)


def _under_one_csn(attributes: Sequence[str]) -> str:
    return f", in the values of {', '.join(attributes)} under one entryCSN" if attributes else ""


def _what(params: Params, facts: Facts) -> str:
    """Return whether values were compared, and which were not."""
    excluded = sorted({*map(str.lower, params.values_except), *facts.excluded})
    if not params.values:
        return ""
    return " with its values" + (f", except {', '.join(excluded)}" if excluded else "")


def _entries(count: int, dns: Sequence[str]) -> str:
    if count == 1:
        return f"the entry {dns[0]} differs"
    return f"{count} entries, the first {dns[0]}, differ"


CHECK = Check(
    name="content",
    params=Params,
    facts=Facts,
    judge=judge,
    survey=survey,
    of_one_server=True,
    single_because="it compares the whole content, slowly",
)
