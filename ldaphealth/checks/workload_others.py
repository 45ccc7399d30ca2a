"""One operation of a draw at one server, beside what the same one got at the others. Pure.

workload_survey.py does the operations; all servers get the same ones at the same time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.judging.quantile import quantile

SUCCESS = 0


class AtOthers(Struct, frozen=True, kw_only=True):
    """What an operation got at the other servers.

    `code`, `name` and `entries` are what more than half of all servers got, the one beside which
    this stands included. Without such a majority they are what another server got (`is_majority`,
    `is_majority_of_entries`). Entries are of searches that ended with success, here too; else None.
    `seconds` is the median of the times.
    """

    code: int
    name: str
    is_majority: bool
    entries: int | None
    is_majority_of_entries: bool
    seconds: float


class Done(Struct, frozen=True, kw_only=True):
    """One operation of a draw, by its number in it: its shape, and what came of it.

    `code` is the result code and `name` its name (RFC 4511 4.1.9). Without a result they are -1
    and the kind of the failure, such as timeout. `others` is None if no other server got it.
    """

    number: int
    shape: str
    code: int
    name: str
    entries: int = 0
    seconds: float = 0.0
    others: AtOthers | None = None


def beside_others(answers: Mapping[str, Sequence[Done]]) -> Mapping[str, tuple[Done, ...]]:
    """Return the operations of one draw by server, each with what it got at the others."""
    by_number: dict[int, list[Done]] = {}
    for of_server in answers.values():
        for done in of_server:
            by_number.setdefault(done.number, []).append(done)
    return {
        server: tuple(_beside(done, by_number[done.number]) for done in of_server)
        for server, of_server in answers.items()
    }


def has_other_entries(done: Done) -> bool:
    """Return whether the number of entries is another one than at the others, by one read."""
    return done.others is not None and done.others.entries not in (None, done.entries)


def confirmed(first: Done, again: Mapping[int, Done]) -> Done:
    """Return an operation whose number of entries is compared only if it was the same again.

    `again` has a second read by number. What was on its way has arrived by then.
    """
    others = first.others
    if others is None or not has_other_entries(first):
        return first
    second = again.get(first.number)
    found = (second.entries, second.others.entries) if second and second.others else None
    if found == (first.entries, others.entries):
        return first
    return replace(first, others=replace(others, entries=None))


def _beside(own: Done, everywhere: Sequence[Done]) -> Done:
    others = [each for each in everywhere if each is not own]
    if not others:
        return own
    names = {each.code: each.name for each in everywhere}
    code, is_majority = _usual(own.code, [each.code for each in others])
    found = [each.entries for each in others if each.code == own.code == SUCCESS]
    entries, is_majority_of_entries = _usual(own.entries, found) if found else (None, False)
    return replace(
        own,
        others=AtOthers(
            code=code,
            name=names[code],
            is_majority=is_majority,
            entries=entries,
            is_majority_of_entries=is_majority_of_entries,
            seconds=quantile([each.seconds for each in others], 0.5),
        ),
    )


def _usual(own: int, others: Sequence[int]) -> tuple[int, bool]:
    """Return what more than half of all got, or what another one got, and which of the two."""
    if all(each == own for each in others):
        return own, True
    ((most, count),) = Counter((*others, own)).most_common(1)
    if 2 * count > len(others) + 1:
        return most, True
    return next(each for each in others if each != own), False
