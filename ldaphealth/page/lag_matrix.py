"""A table of servers and server IDs, from the findings of the check `replication`.

It is part of the page. `csn watch` has its own matrix, because it reads the servers itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from ldaphealth.model import Finding, Verdict
from ldaphealth.text.duration import duration
from ldaphealth.text.printable import printable

MOST_SERVER_IDS = 64
LABEL_CHARACTERS = 8


class Cell(Struct, frozen=True):
    """How one server is in one server ID: `kind` is newest, coming, behind or unknown."""

    kind: str
    text: str


class Matrix(Struct, frozen=True):
    """The table of one cluster; `left_out` is the number of server IDs that are not shown."""

    server_ids: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]  # the server's name, and its cells
    left_out: int
    behind: int  # servers that lack something

    @property
    def summary(self) -> str:
        """Return the table in one sentence."""
        if self.behind:
            return f"{self.behind} of {len(self.rows)} servers lack changes that others have"
        return f"no change is known to be missing on {len(self.rows)} servers"


UNKNOWN = Cell("unknown", "not known")
NEWEST = Cell("newest", "newest")


def matrix(verdicts: Iterable[Verdict]) -> Matrix | None:
    """Return the matrix of the given verdicts; None if replication is not checked."""
    found = {
        verdict.server: _numbers(verdict.findings)
        for verdict in verdicts
        if any(finding.check == "replication" for finding in verdict.findings)
    }
    labels = sorted({label for numbers in found.values() for label in numbers})
    if not labels:
        return None
    shown = labels[:MOST_SERVER_IDS]
    rows = tuple(
        (
            printable(server.partition("/")[2] or server),
            tuple(_cell(numbers.get(label)) for label in shown),
        )
        for server, numbers in found.items()
    )
    behind = sum(any(each.kind == "behind" for each in cells) for _, cells in rows)
    ids = tuple(printable(label, LABEL_CHARACTERS) for label in shown)
    return Matrix(ids, rows, len(labels) - len(shown), behind)


def _numbers(findings: Iterable[Finding]) -> Mapping[str, Mapping[str, float]]:
    """Return the metrics with a label, by label and name."""
    found: dict[str, dict[str, float]] = {}
    for finding in findings:
        if finding.check == "replication":
            for metric in finding.metrics:
                if metric.name in ("behind_seconds", "csn_gap_seconds") and metric.label:
                    found.setdefault(metric.label, {})[metric.name] = metric.value
    return found


def _cell(numbers: Mapping[str, float] | None) -> Cell:
    if numbers is None:
        return UNKNOWN
    behind, gap = numbers.get("behind_seconds", 0.0), numbers.get("csn_gap_seconds", 0.0)
    gap_text = f", gap {duration(gap)}" if 1.0 <= gap < 1e12 else ""  # noqa: PLR2004  no nan, no inf
    if behind > 0:
        return Cell("behind", f"behind {duration(min(behind, 1e12))}{gap_text}")
    return Cell("coming", f"on its way{gap_text}") if gap > 0 else NEWEST
