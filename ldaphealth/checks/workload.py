"""Operations of clients, drawn from a workload that was learnt, the same ones at all servers.

`ldaphealth workload learn` makes the file. Each interval a few searches and compares are drawn from
its shapes, and done at every server at once. A server that answers some of them otherwise than most
others do, or takes several times as long, is named with the shape: it lost an index, a subtree, or
a part of its entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct
from msgspec.structs import replace

from ldaphealth.check import Check, View
from ldaphealth.checks.workload_others import Done
from ldaphealth.checks.workload_shapes import Opinion, ShapeSeen, opinions_on
from ldaphealth.judging.thresholds import NOT_NEGATIVE, SHARE, Range, Thresholds, at_most
from ldaphealth.model import Basis, Finding, Metric, Observation, State, Trust
from ldaphealth.survey import SurveyContext, SurveyResult
from ldaphealth.text.quantity import quantity
from ldaphealth.workload.shape import OperationShape
from ldaphealth.workload.workload_file import WorkloadFile

if TYPE_CHECKING:  # only the agent loads it, in workload_survey.py
    from ldaphealth.checks.workload_survey import Kept

VALUES_SECONDS = 10.0  # to read values, which is seldom
AGAIN_SECONDS = 1.0  # to a second read of searches that found another number of entries
MOST_METRICS = 20  # shapes


class Params(Struct, frozen=True, kw_only=True):
    """Settings of the check."""

    file: Annotated[
        WorkloadFile,
        Meta(description="the workload, an absolute path; read at the start and on a reload"),
    ]
    operations: Annotated[
        int, Meta(ge=1, le=100, description="the operations of one interval, at each server")
    ] = 4
    interval_seconds: Annotated[
        float, Meta(ge=0.5, le=3600, description="the time between two draws")
    ] = 5.0
    most_seconds: Annotated[
        float,
        Meta(
            ge=0.1,
            le=30,
            description="the time for all operations of a draw at one server, with its session; "
            "those that are left are not done",
        ),
    ] = 2.0
    size_limit: Annotated[
        int, Meta(ge=1, le=1000, description="the entries that a server sends for a search")
    ] = 200
    refresh_seconds: Annotated[
        float,
        Meta(ge=60, le=86400, description="values for the templates are read again after it"),
    ] = 3600.0
    most_values: Annotated[
        int, Meta(ge=1, le=500, description="the values of each source that are read of a server")
    ] = 200
    window_seconds: Annotated[
        float, Meta(ge=1, le=3600, description="the operations of this time are judged together")
    ] = 120.0
    min_operations: Annotated[
        int, Meta(ge=1, le=1000, description="fewer operations of a shape in it are not judged")
    ] = 10
    different_ratio: Annotated[
        Thresholds,
        Meta(
            description="the share of the operations of a shape with another result code, or "
            "another number of entries, than at most servers",
            extra=SHARE,
        ),
    ] = at_most(0.1, 0.3)
    seconds: Annotated[
        Thresholds,
        Meta(description="the quantile of the times of a shape", extra=NOT_NEGATIVE),
    ] = at_most(0.5, 2.0)
    quantile: Annotated[
        float, Meta(gt=0, lt=1, description="the share of operations that must be fast enough")
    ] = 0.5
    to_pool: Annotated[
        Thresholds,
        Meta(
            description="the quantile divided by the median of the other servers' quantiles",
            extra=NOT_NEGATIVE,
        ),
    ] = Thresholds(warning=Range(end=5))
    to_learnt: Annotated[
        Thresholds,
        Meta(
            description="the quantile divided by the one in the file; only reported",
            extra=NOT_NEGATIVE,
        ),
    ] = Thresholds(warning=Range(end=20))
    quick_seconds: Annotated[
        float, Meta(gt=0, le=60, description="shorter times count as this one when divided")
    ] = 0.002
    unlike_learnt_ratio: Annotated[
        Thresholds,
        Meta(
            description="the share of the operations of a shape, beyond that in the file, with a "
            "result code that is rare there, or without an entry; only reported",
            extra=SHARE,
        ),
    ] = Thresholds(warning=Range(end=0.5))

    @property
    def deadline_seconds(self) -> float:
        """Return the hard deadline of one survey."""
        return VALUES_SECONDS + 2 * self.most_seconds + AGAIN_SECONDS

    @property
    def shapes(self) -> Mapping[str, OperationShape]:
        """Return the shapes of the file by name, none if it was not read."""
        content = self.file.content
        return {each.name: each for each in content.shapes} if content else {}


class Facts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one server answered to the operations of one draw.

    `draw` names the draw: operations of the same name and number are the same ones. `file` is the
    digest of the workload. `without_values` is the share of the workload that cannot be drawn, for
    want of values. `not_done` is why no operation could be done, else "". `by_hand` has, by shape,
    the newest operations as commands; they become texts when they are shown, and only then.
    """

    file: str
    draw: str = ""
    done: tuple[Done, ...] = ()
    without_values: float = 0.0
    not_done: str = ""
    by_hand: Mapping[str, Any] = {}


def survey(context: SurveyContext[Params, Kept]) -> SurveyResult[Facts, Kept]:
    """Do the operations of one draw at all servers (workload_survey.py)."""
    from ldaphealth.checks.workload_survey import do_one_draw  # noqa: PLC0415  agent only

    return do_one_draw(context)


def judge(view: View[Facts], params: Params) -> Iterable[Finding]:
    """Judge each shape over the window, and report the worst one of each code."""
    facts = view.facts
    if facts.not_done:
        summary = f"the operations could not be done: {facts.not_done}"
        yield view.finding(State.UNKNOWN, "not_done", summary, trust=Trust.LOCAL)
        return
    own = _operations(view.own, facts.file, params)
    seen = [*_shapes_seen(own, params)]
    metrics = _metrics(view.check, seen, params)
    if not seen:
        summary = f"{quantity(len(own), 'operation')} in the window, too few of each shape to judge"
        yield view.finding(State.OK, "collecting", summary, metrics)
        return
    found = [*_worst(each for shape in seen for each in opinions_on(shape, params))]
    for opinion in found:
        yield _finding(view, opinion, metrics)
        metrics = ()  # each stands in one finding
    if not found:
        operations, shapes = quantity(len(own), "operation"), quantity(len(seen), "shape")
        summary = f"{operations} of {shapes}, as at the other servers"
        if facts.without_values:
            summary += f"; {facts.without_values:.0%} of the workload has no values to draw"
        yield view.finding(State.OK, "ok", summary, metrics)


def _operations(
    seen: Sequence[Observation[Facts]], file: str, params: Params
) -> list[tuple[str, Done]]:
    """Return what was done in the newest window, with the names of the draws."""
    since = seen[-1].ended_at - params.window_seconds
    return [
        (facts.draw, done)
        for each in seen
        if each.ended_at >= since and (facts := each.facts) is not None and facts.file == file
        for done in facts.done
    ]


def _shapes_seen(own: Iterable[tuple[str, Done]], params: Params) -> Iterator[ShapeSeen]:
    """Yield the shapes with enough operations, the most frequent first."""
    by_shape: dict[str, list[tuple[str, Done]]] = {}
    for draw, done in own:
        by_shape.setdefault(done.shape, []).append((draw, done))
    shapes = params.shapes
    for name, of in sorted(by_shape.items(), key=lambda item: -len(item[1])):
        if len(of) >= params.min_operations and name in shapes:
            yield ShapeSeen(shapes[name], of)


def _worst(opinions: Iterable[Opinion]) -> Iterator[Opinion]:
    """Yield the worst opinion of each code, and how many other shapes have one."""
    by_code: dict[str, list[Opinion]] = {}
    for each in opinions:
        by_code.setdefault(each.code, []).append(each)
    for of in by_code.values():
        first = max(of, key=lambda each: (each.trust.can_remove, each.state.severity, each.extent))
        yield replace(first, others=len(of) - 1)


def _finding(view: View[Facts], opinion: Opinion, metrics: Sequence[Metric]) -> Finding:
    more = f"; so do {opinion.others} other shapes" if opinion.others else ""
    summary = (
        f"{opinion.summary}{more}; `ldaphealth explain {view.server.id}` has the operation to "
        "repeat by hand"
    )
    found = view.finding(opinion.state, opinion.code, summary, metrics, opinion.trust)
    return replace(found, basis=Basis.WINDOW)


def _metrics(check: str, seen: Sequence[ShapeSeen], params: Params) -> tuple[Metric, ...]:
    return tuple(
        metric
        for shape in seen[:MOST_METRICS]
        for metric in (
            Metric(f"{check}_shape_operations", len(shape.done), label=shape.shape.name),
            params.seconds.metric(
                f"{check}_shape_seconds", shape.own_seconds(params.quantile), shape.shape.name
            ),
            params.different_ratio.metric(
                f"{check}_shape_different_ratio", shape.different_ratio, shape.shape.name
            ),
        )
    )


CHECK = Check(
    name="workload",
    params=Params,
    facts=Facts,
    judge=judge,
    survey=survey,
    of_one_server=True,
    judged_settings=(
        "window_seconds",
        "min_operations",
        "different_ratio",
        "seconds",
        "quantile",
        "to_pool",
        "to_learnt",
        "quick_seconds",
        "unlike_learnt_ratio",
    ),
)
