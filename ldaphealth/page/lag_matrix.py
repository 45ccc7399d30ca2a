"""A table of servers and server IDs, from the findings of the check `replication`.

It is part of the page. `csn watch` has its own matrix, because it reads the servers itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import Struct

from ldaphealth.model import Finding, State, Verdict
from ldaphealth.text.duration import duration
from ldaphealth.text.printable import printable
from ldaphealth.text.quantity import quantity

MOST_SERVER_IDS = 64
LABEL_CHARACTERS = 8
MOST_SECONDS = 1e12
APART = ("split", "isolated")
METRICS = frozenset({"behind_seconds", "isolated_seconds", "split_seconds", "csn_gap_seconds"})


class Cell(Struct, frozen=True):
    """How one server is in one server ID.

    `kind` is newest, coming, lacking (what an isolated server or another side of a split has),
    behind, isolated, split or unknown.
    """

    kind: str
    text: str


class Matrix(Struct, frozen=True):
    """The table of one cluster; `left_out` is the number of server IDs that are not shown."""

    server_ids: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]  # the server's name, and its cells
    left_out: int
    counts: Mapping[str, int]  # of servers, by the keys of PHRASES; without those with none

    @property
    def summary(self) -> str:
        """Return the table in one sentence."""
        servers = quantity(len(self.rows), "server")
        wrong = [
            f"{self.counts[code]} of {servers} {phrase}"
            for code, phrase in PHRASES.items()
            if code in self.counts
        ]
        return "; ".join(wrong) or f"no change is known to be missing on {servers}"


# By code of a finding that is not OK. A server is counted as behind as soon as it lacks something.
PHRASES = {
    "split": "are split into sides that lack changes of each other",
    "behind": "lack changes that others have",
    "isolated": "have changes that others lack",
    "regressed": "lack changes that they had",
}
UNKNOWN = Cell("unknown", "not known")
NEWEST = Cell("newest", "newest")


def matrix(verdicts: Iterable[Verdict]) -> Matrix | None:
    """Return the matrix of the given verdicts; None if replication is not checked."""
    found = {
        verdict.server: _Shown(_codes(verdict.findings), _numbers(verdict.findings))
        for verdict in verdicts
        if any(finding.check == "replication" for finding in verdict.findings)
    }
    labels = sorted({label for each in found.values() for label in each.numbers})
    if not labels:
        return None
    shown = labels[:MOST_SERVER_IDS]
    kept_apart = {label for label in shown if any(each.is_apart(label) for each in found.values())}
    rows = tuple(
        (
            printable(server.partition("/")[2] or server),
            tuple(each.cell(label, is_apart=label in kept_apart) for label in shown),
        )
        for server, each in found.items()
    )
    counts = Counter(code for each in found.values() for code in each.codes)
    counts["behind"] = sum(any(each.kind == "behind" for each in cells) for _, cells in rows)
    ids = tuple(printable(label, LABEL_CHARACTERS) for label in shown)
    return Matrix(ids, rows, len(labels) - len(shown), +counts)


def _codes(findings: Iterable[Finding]) -> frozenset[str]:
    """Return the codes of the findings of replication that are not OK."""
    return frozenset(
        finding.code
        for finding in findings
        if finding.check == "replication" and finding.state is not State.OK
    )


def _numbers(findings: Iterable[Finding]) -> Mapping[str, Mapping[str, float]]:
    """Return the metrics with a label, by label and name."""
    found: dict[str, dict[str, float]] = {}
    for finding in findings:
        if finding.check == "replication":
            for metric in finding.metrics:
                if metric.name in METRICS and metric.label:
                    found.setdefault(metric.label, {})[metric.name] = metric.value
    return found


class _Shown(Struct, frozen=True):
    """What the findings on one server show: codes that are not OK, and numbers by server ID."""

    codes: frozenset[str]
    numbers: Mapping[str, Mapping[str, float]]

    def is_apart(self, label: str) -> bool:
        """Return whether changes of that server ID are not on their way to or from this server."""
        numbers = self.numbers.get(label, {})
        return any(code in self.codes and numbers.get(f"{code}_seconds", 0.0) > 0 for code in APART)

    def cell(self, label: str, *, is_apart: bool) -> Cell:
        """Return the cell; `is_apart`: some server is isolated or split in that server ID."""
        numbers = self.numbers.get(label)
        if numbers is None:
            return UNKNOWN
        gap = numbers.get("csn_gap_seconds", 0.0)
        gap_text = f", gap {duration(gap)}" if 1.0 <= gap < MOST_SECONDS else ""  # no nan, no inf
        for code in (*APART, "behind"):
            seconds = numbers.get(f"{code}_seconds", 0.0)
            if seconds > 0 and (code == "behind" or code in self.codes):
                return Cell(code, f"{code} {duration(min(seconds, MOST_SECONDS))}{gap_text}")
        if not gap > 0:
            return NEWEST
        if is_apart:
            return Cell("lacking", f"not received{gap_text}")
        return Cell("coming", f"on its way{gap_text}")
