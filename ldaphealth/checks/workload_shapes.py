"""What the operations of one shape show of a server, compared with the others and the file. Pure.

workload.py calls it. Servers are compared by the same operations at the same time. Where they
differ, the server with another answer than most others have is the odd one. Without a majority, as
with two servers, the one result code that the log of clients had counts as right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import TYPE_CHECKING

from msgspec import Struct

from ldaphealth.model import State, Trust
from ldaphealth.workload.shape import OperationShape

if TYPE_CHECKING:
    from ldaphealth.checks.workload import Done, Params

Key = tuple[str, int]  # the name of a draw, and the number of an operation in it
Operations = Mapping[Key, "Done"]

RARE = 0.01  # a result code with a smaller share in the log was not usual there
FEWEST_DRAWS = 3  # with another number of entries: a change may have been on its way
FEWEST_RESULTS = 2  # of another kind than at the other servers
SUCCESS = 0


class Opinion(Struct, frozen=True, kw_only=True):
    """What is wrong with one shape. `extent` orders opinions, `others` counts other shapes."""

    code: str
    state: State
    trust: Trust
    extent: float
    summary: str
    others: int = 0


class Difference(Struct, frozen=True):
    """Operations that a server answered otherwise: the draws, and what came most often.

    `usual` is what came at most servers, "" if there is no majority.
    """

    draws: tuple[str, ...]
    came: str
    usual: str


NO_DIFFERENCE = Difference((), "", "")


class ShapeSeen(Struct, frozen=True, kw_only=True):
    """The operations of one shape: at the server that is judged, and at the others."""

    shape: OperationShape
    own: Operations
    others: Sequence[Operations]

    def own_seconds(self, quantile: float) -> float:
        """Return the quantile of the times at the server."""
        return _quantile([each.seconds for each in self.own.values()], quantile)

    def pool_seconds(self, quantile: float) -> float | None:
        """Return the median of the quantiles at the other servers, None without any.

        They are of the same operations, as far as they were done there.
        """
        times = [[of[key].seconds for key in self.own if key in of] for of in self.others]
        quantiles = [_quantile(each, quantile) for each in times if len(each) * 2 >= len(self.own)]
        return _quantile(quantiles, 0.5) if quantiles else None

    def other_results(self) -> Difference:
        """Return the operations with another result code than at most servers."""
        found: list[tuple[str, str, str]] = []
        for key, done in self.own.items():
            here = [of[key] for of in self.others if key in of]
            names = {each.code: each.name for each in here} | {done.code: done.name}
            usual = _usual([done.code, *(each.code for each in here)])
            if usual is None:
                usual = self._learnt_one(names)
            if usual is not None and usual != done.code:
                found.append((key[0], done.name, names[usual]))
        return _difference(found)

    def other_entries(self, *, is_decided: bool) -> Difference:
        """Return the searches with another number of entries than at most servers.

        Without `is_decided`: than at another server, where there is no majority.
        """
        found: list[tuple[str, str, str]] = []
        for key, done in self.own.items():
            here = [of[key].entries for of in self.others if key in of and of[key].code == SUCCESS]
            if done.code != SUCCESS or not here:
                continue
            usual = _usual([done.entries, *here])
            if is_decided and usual is not None and usual != done.entries:
                found.append((key[0], str(done.entries), str(usual)))
            elif not is_decided and usual is None:
                other = next(each for each in here if each != done.entries)
                found.append((key[0], str(done.entries), str(other)))
        return _difference(found)

    def different_ratio(self) -> float:
        """Return the share of operations with another result or number of entries."""
        different = (self.other_results(), self.other_entries(is_decided=True))
        return sum(len(each.draws) for each in different) / len(self.own)

    def unlike_learnt(self) -> tuple[float, str]:
        """Return the share of operations whose result the log rarely had, beyond that there."""
        rare = Counter(each.name for each in self.own.values() if not self._is_learnt(each.code))
        if rare:
            return rare.total() / len(self.own), rare.most_common(1)[0][0]
        found = [each.entries for each in self.own.values() if each.code == SUCCESS]
        # Values of several sources are of different entries, and need not match together.
        if len(self.shape.sources) > 1 or not self.shape.entries or not found:
            return 0.0, ""
        learnt = self.shape.entries.get(0, 0) / sum(self.shape.entries.values())
        return max(0.0, found.count(0) / len(found) - learnt), "no entry"

    def _is_learnt(self, code: int) -> bool:
        return self.shape.results.get(code, 0) >= RARE * self.shape.count

    def _learnt_one(self, codes: Mapping[int, str]) -> int | None:
        """Return the only one of these result codes that the log had, None without one."""
        learnt = [each for each in codes if self._is_learnt(each)]
        return learnt[0] if len(learnt) == 1 else None


def opinions_on(seen: ShapeSeen, params: Params) -> Iterator[Opinion]:
    """Yield what is wrong with a shape at a server, at most one opinion of each code."""
    results = seen.other_results()
    yield from _different(seen, params, "results", results, Trust.SOFT)
    entries = seen.other_entries(is_decided=True)
    trust = Trust.SOFT
    if not entries.draws:
        entries, trust = seen.other_entries(is_decided=False), Trust.INFORMATIVE
    yield from _different(seen, params, "entries", entries, trust)
    if not results.draws:
        yield from _slow(seen, params)
        yield from _unlike_learnt(seen, params)


def _different(
    seen: ShapeSeen, params: Params, code: str, difference: Difference, trust: Trust
) -> Iterator[Opinion]:
    share = len(difference.draws) / len(seen.own)
    state = params.different_ratio.state(share)
    is_entries = code == "entries"
    least = FEWEST_DRAWS if is_entries else FEWEST_RESULTS
    if state is State.OK or len({*difference.draws}) < least:
        return
    unit = " entries" if is_entries else ""
    where = "at most servers" if trust is Trust.SOFT else "at another server"
    summary = (
        f"{share:.0%} of {len(seen.own)} operations of {_shown(seen.shape)} came out otherwise "
        f"than {where}, such as {difference.came}{unit} in place of {difference.usual}"
    )
    yield Opinion(code=code, state=state, trust=trust, extent=share, summary=summary)


def _slow(seen: ShapeSeen, params: Params) -> Iterator[Opinion]:
    seconds = seen.own_seconds(params.quantile)
    took = (
        f"{params.quantile:.0%} of {len(seen.own)} operations of {_shown(seen.shape)} took up to "
        f"{seconds:.3f} s"
    )
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
        summary = (
            f"{share:.0%} more of {len(seen.own)} operations of {_shown(seen.shape)} than in the "
            f"log got {what}"
        )
        yield Opinion(
            code="unlike_learnt",
            state=state,
            trust=Trust.INFORMATIVE,
            extent=share,
            summary=summary,
        )


def _shown(shape: OperationShape) -> str:
    """Return the name and the templates of a shape: no value of the directory."""
    if shape.operation == "compare":
        what = f"compare {shape.base!r} {shape.attribute}:{shape.value}"
    else:
        what = f"search {shape.base!r} {shape.scope} {shape.filter}"
    return f"the shape {shape.name} ({what})"


def _usual(values: Sequence[int]) -> int | None:
    """Return the value of more than half of the servers, None without one."""
    ((value, count),) = Counter(values).most_common(1)
    return value if count * 2 > len(values) else None


def _difference(found: Sequence[tuple[str, str, str]]) -> Difference:
    if not found:
        return NO_DIFFERENCE
    came, usual = Counter((came, usual) for _, came, usual in found).most_common(1)[0][0]
    return Difference(tuple(draw for draw, _, _ in found), came, usual)


def _quantile(numbers: Sequence[float], share: float) -> float:
    return sorted(numbers)[max(0, ceil(share * len(numbers)) - 1)]
