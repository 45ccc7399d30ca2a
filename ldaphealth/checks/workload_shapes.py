"""What the operations of one shape show of a server, compared with the others and the file. Pure.

workload.py calls it. Servers are compared by the same operations at the same time. Where they
differ, the server with another answer than most others have is the odd one. Without a majority, as
with two servers, the one result code that the log of clients had counts as right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from ldaphealth.checks.workload_others import SUCCESS, AtOthers, Done
from ldaphealth.judging.quantile import quantile
from ldaphealth.model import State, Trust
from ldaphealth.text.quantity import plural_of, quantity
from ldaphealth.workload.shape import OperationShape

if TYPE_CHECKING:
    from ldaphealth.checks.workload import Params

RARE = 0.01  # a result code with a smaller share in the log was not usual there
FEWEST_DRAWS = 3  # with another number of entries: a change may have been on its way
CHANCE = 7.0  # the square of the deviations that a surplus must have: 1 % of chance is as large
FEWEST_RESULTS = 2  # of another kind than at the other servers


class Opinion(Struct, frozen=True, kw_only=True):
    """What is wrong with one shape. `extent` orders opinions, `others` counts other shapes."""

    code: str
    state: State
    trust: Trust
    extent: float
    summary: str
    others: int = 0


class _Differences:
    """Operations that got something else than at the other servers: draws, and what came."""

    def __init__(self) -> None:
        self.draws: list[str] = []
        self._came: Counter[tuple[str, str]] = Counter()

    def add(self, draw: str, came: str, usual: str) -> None:
        """Add one operation."""
        self.draws.append(draw)
        self._came[came, usual] += 1

    def net_of(self, opposite: _Differences) -> _Differences:
        """Return what is left of these after as many opposite ones cancelled them."""
        left = _Differences()
        left.draws, left._came = self.draws[len(opposite.draws) :], self._came
        return left

    @property
    def most_frequent(self) -> tuple[str, str]:
        """Return what came most often, and in place of what; there must be one."""
        return self._came.most_common(1)[0][0]


class _EntryDifferences:
    """Searches that found fewer entries than at the other servers, and those that found more."""

    def __init__(self) -> None:
        self._fewer, self._more = _Differences(), _Differences()

    def add(self, draw: str, came: int, usual: int) -> None:
        """Add one search."""
        (self._fewer if came < usual else self._more).add(draw, str(came), str(usual))

    @property
    def net(self) -> _Differences:
        """Return the more frequent ones without as many of the others, none if that is chance.

        Additions and deletions that are on their way to a server cancel each other. As in a sign
        test, the surplus must be larger than that of as many tosses of a coin.
        """
        frequent, rare = sorted((self._fewer, self._more), key=lambda each: -len(each.draws))
        total = len(frequent.draws) + len(rare.draws)
        surplus = len(frequent.draws) - len(rare.draws)
        return frequent.net_of(rare) if surplus**2 >= CHANCE * total else _Differences()


class ShapeSeen:
    """The operations of one shape at the server that is judged, with the names of their draws."""

    def __init__(self, shape: OperationShape, done: Sequence[tuple[str, Done]]) -> None:
        self.shape, self.done = shape, [each for _, each in done]
        results = _Differences()
        decided, undecided = _EntryDifferences(), _EntryDifferences()
        for draw, each in done:
            others = each.others
            if others is None:
                continue
            if each.code != others.code:
                if others.is_majority or self._is_only_other_learnt(each, others):
                    results.add(draw, each.name, others.name)
            elif others.entries is not None and each.entries != others.entries:
                kind = decided if others.is_majority_of_entries else undecided
                kind.add(draw, each.entries, others.entries)
        self.other_results, self.other_entries = results, decided.net
        self.undecided_entries = undecided.net

    @property
    def different_ratio(self) -> float:
        """Return the share of operations with another result or number of entries."""
        return (len(self.other_results.draws) + len(self.other_entries.draws)) / len(self.done)

    def own_seconds(self, share: float) -> float:
        """Return the quantile of the times at the server."""
        return quantile([each.seconds for each in self.done], share)

    def pool_seconds(self, share: float) -> float | None:
        """Return the quantile of the median times of the others, None if there are few.

        They are of the same operations.
        """
        times = [each.others.seconds for each in self.done if each.others is not None]
        return quantile(times, share) if 2 * len(times) >= len(self.done) else None

    def unlike_learnt(self) -> tuple[float, str]:
        """Return the share of operations whose result the log rarely had, beyond that there.

        Those that came out otherwise at the other servers are judged by that alone.
        """
        alike = [each for each in self.done if not _is_otherwise(each)]
        rare = Counter(each.name for each in alike if not self._is_learnt(each.code))
        if rare:
            return rare.total() / len(alike), rare.most_common(1)[0][0]
        found = [each.entries for each in alike if each.code == SUCCESS]
        # Values of several sources are of different entries, and need not match together.
        if len(self.shape.sources) > 1 or not self.shape.entries or not found:
            return 0.0, ""
        learnt = self.shape.entries.get(0, 0) / sum(self.shape.entries.values())
        return max(0.0, found.count(0) / len(found) - learnt), "no entry"

    def _is_learnt(self, code: int) -> bool:
        return self.shape.results.get(code, 0) >= RARE * self.shape.count

    def _is_only_other_learnt(self, own: Done, others: AtOthers) -> bool:
        return self._is_learnt(others.code) and not self._is_learnt(own.code)


def opinions_on(seen: ShapeSeen, params: Params) -> Iterator[Opinion]:
    """Yield what is wrong with a shape at a server, at most one opinion of each code."""
    results = seen.other_results
    yield from _different(seen, params, "results", results, Trust.SOFT)
    if seen.other_entries.draws or not seen.undecided_entries.draws:
        yield from _different(seen, params, "entries", seen.other_entries, Trust.SOFT)
    else:
        yield from _different(seen, params, "entries", seen.undecided_entries, Trust.INFORMATIVE)
    if not results.draws:
        yield from _slow(seen, params)
        yield from _unlike_learnt(seen, params)


def _different(
    seen: ShapeSeen, params: Params, code: str, differences: _Differences, trust: Trust
) -> Iterator[Opinion]:
    share = len(differences.draws) / len(seen.done)
    state = params.different_ratio.state(share)
    is_entries = code == "entries"
    least = FEWEST_DRAWS if is_entries else FEWEST_RESULTS
    if state is State.OK or len({*differences.draws}) < least:
        return
    came, usual = differences.most_frequent
    unit = f" {plural_of(int(came), 'entry', 'entries')}" if is_entries else ""
    where = "at most servers" if trust is Trust.SOFT else "at another server"
    summary = (
        f"{share:.0%} of {_done(seen)} came out otherwise "
        f"than {where}, such as {came}{unit} in place of {usual}"
    )
    yield Opinion(code=code, state=state, trust=trust, extent=share, summary=summary)


def _done(seen: ShapeSeen) -> str:
    return f"{quantity(len(seen.done), 'operation')} of {_shown(seen.shape)}"


def _slow(seen: ShapeSeen, params: Params) -> Iterator[Opinion]:
    seconds = seen.own_seconds(params.quantile)
    took = f"{params.quantile:.0%} of {_done(seen)} took up to {seconds:.3f} s"
    state = params.seconds.state(seconds)
    if state is not State.OK:
        yield Opinion(code="slow", state=state, trust=Trust.SOFT, extent=seconds, summary=took)
    if seconds <= params.quick_seconds:
        return
    learnt = seen.shape.times
    compared = (
        (
            "slower_than_pool",
            params.to_pool,
            seen.pool_seconds(params.quantile),
            Trust.SOFT,
            "at the median of the other servers",
        ),
        (
            "slower_than_learnt",
            params.to_learnt,
            learnt.quantile(params.quantile) if learnt.count else None,
            Trust.INFORMATIVE,
            "in the log that the workload was learnt from",
        ),
    )
    for code, limits, usual, trust, where in compared:
        if usual is None:
            continue
        ratio = seconds / max(usual, params.quick_seconds)
        state = limits.state(ratio)
        if state is not State.OK:
            yield Opinion(
                code=code,
                state=state,
                trust=trust,
                extent=ratio,
                summary=f"{took}, {usual:.4f} s {where}",
            )


def _unlike_learnt(seen: ShapeSeen, params: Params) -> Iterator[Opinion]:
    share, what = seen.unlike_learnt()
    state = params.unlike_learnt_ratio.state(share)
    if state is not State.OK:
        summary = f"{share:.0%} more of {_done(seen)} than in the log got {what}"
        yield Opinion(
            code="unlike_learnt",
            state=state,
            trust=Trust.INFORMATIVE,
            extent=share,
            summary=summary,
        )


def _is_otherwise(done: Done) -> bool:
    others = done.others
    if others is None:
        return False
    return done.code != others.code or others.entries not in (None, done.entries)


def _shown(shape: OperationShape) -> str:
    """Return the name and the templates of a shape: no value of the directory."""
    if shape.operation == "compare":
        what = f"compare {shape.base!r} {shape.attribute}:{shape.value}"
    else:
        what = f"search {shape.base!r} {shape.scope} {shape.filter}"
    return f"the shape {shape.name} ({what})"
