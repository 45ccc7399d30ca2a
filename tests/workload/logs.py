"""Logs of slapd for tests: operations as lines, and what is learnt from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ldaphealth.workload.learner import Learner
from ldaphealth.workload.learnt import learnt_workload
from ldaphealth.workload.shape import OperationShape, Workload

FIRST_CONNECTION = 1000
SUFFIX = "dc=example,dc=org"


def operation(connection: int, number: int, request: str, result: str) -> list[str]:
    """Return the lines of one operation; `request` has several, separated by line feeds."""
    begins = f"conn={connection} op={number} "
    return [begins + each for each in (*request.split("\n"), result)]


def search(
    base: str,
    where: str,
    *attributes: str,
    scope: int = 2,
    seconds: float = 0.001,
    entries: int = 1,
) -> tuple[str, str]:
    request = f'SRCH base="{base}" scope={scope} deref=0 filter="{where}"'
    if attributes:
        request += f"\nSRCH attr={' '.join(attributes)}"
    times = f"qtime=0.000008 etime={seconds:.6f}"
    return request, f"SEARCH RESULT tag=101 err=0 {times} nentries={entries} text="


def lines_of(operations: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield the lines of operations, each on a connection of its own."""
    for number, (request, result) in enumerate(operations, FIRST_CONNECTION):
        yield from operation(number, 1, request, result)


def learnt(
    lines: Iterable[str], *, at_least: int = 1, most: int = 100, keep_values: bool = False
) -> Workload:
    learner = Learner(keep_values=keep_values)
    for line in lines:
        learner.read(line.encode())
    learner.finish()
    return learnt_workload(learner, at_least, most)


def only(workload: Workload) -> OperationShape:
    (shape,) = workload.shapes
    return shape
