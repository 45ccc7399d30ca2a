"""The results of a run as a document (docs/evidence.md), for a terminal, or as JSON; pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.faults.fault import Fault, Kind
from bench.faults.scoring import Score, Total, Trial, score, total
from bench.faults.site import servers

TITLE = """\
# Evidence: injected faults, and what each checker made of them

Written by `{command}` on {date}; do not edit it. Every fault is put into a real cluster of four slapd, each behind a proxy
that can break connections, and taken out again. Four checkers probe it side by side, every {interval:g} s:

| checker | what it is |
|---|---|
| TCP connect | connect and close, as keepalived's TCP_CHECK does; out after 3 failures in a row, back after 2 successes |
| check_ldap | monitoring-plugins' check_ldap binds and counts the people (`-C 20:`), the same 3 and 2; a probe that takes longer than the interval has failed, as keepalived has it |
| agent | `ldaphealth agent`, where only the servers, the suffix, the account and `interval_seconds` are set |
| agent, stricter | the same with the settings at the end of this page |

A control probe with ldapsearch or ldapmodify, through the same proxies, sees each fault before it counts, and sees the
other servers healthy. *Must go* are servers from which clients do not get what they get from the others; all others must
stay until long after the fault was undone. Seconds to detect count from the beginning of the fault of each server, seconds to
recover from the beginning of the undoing. *Emptied* is the time with no server in service.
"""  # noqa: E501


@dataclass(frozen=True, kw_only=True)
class Run:
    """What was run, and what came of it; `failed` are faults whose trial did not come about."""

    command: str
    date: str
    interval_seconds: float
    versions: Mapping[str, str]
    checkers: Sequence[str]
    faults: Sequence[Fault]
    trials: Mapping[str, Trial]
    failed: Mapping[str, str]
    settings: Mapping[str, Any]

    def counted(self) -> list[Fault]:
        """Return the faults that were injected, by the control probes."""
        return [
            fault
            for fault in self.faults
            if fault.name in self.trials and not self.trials[fault.name].not_shown
        ]

    def not_counted(self) -> dict[str, str]:
        """Return why the others count for nothing."""
        not_shown = {
            name: "; ".join(f"ldap{server}: {why}" for server, why in trial.not_shown.items())
            for name, trial in self.trials.items()
            if trial.not_shown
        }
        return not_shown | dict(self.failed)

    def score(self, fault: Fault, checker: str) -> Score:
        """Return what a checker made of a fault."""
        trial = self.trials[fault.name]
        return score(trial, checker, fault.out, fault.open, fault.later_seconds)

    def total(self, checker: str, kinds: Iterable[Kind] = tuple(Kind)) -> Total:
        """Sum up a checker over the faults of these kinds."""
        wanted = set(kinds)
        return total(self.score(fault, checker) for fault in self.counted() if fault.kind in wanted)


def document(run: Run) -> str:
    """Return the whole page in Markdown."""
    head = TITLE.format(command=run.command, date=run.date, interval=run.interval_seconds)
    versions = "\n".join(f"- {name}: {version}" for name, version in run.versions.items())
    count = len(run.counted())
    parts = [
        head,
        f"{versions}\n",
        f"## Totals of {count} faults\n\n{totals(run)}",
        f"## By fault\n\n{by_fault(run)}",
        f"## Misses and false removals\n\n{misses(run)}",
        f"## The faults\n\n{descriptions(run)}",
        f"## The stricter settings\n\n```json\n{json.dumps(run.settings, indent=2)}\n```\n",
    ]
    if run.not_counted():
        parts.insert(2, f"## Not counted\n\n{_list(run.not_counted())}")
    return "\n".join(parts)


def totals(run: Run) -> str:
    """Return a table with a row for each checker."""
    head = (
        "checker", "sensitivity", "specificity", "trials with a false removal",
        "detect: median, p90", "recover: median, p90", "not back", "emptied",
    )  # fmt: skip
    rows = [
        (
            checker,
            _share(summed.found, summed.must_go),
            _share(summed.kept, summed.must_stay),
            f"{summed.trials_with_false_removal} of {summed.trials}",
            _seconds(summed.detect_median_seconds, summed.detect_p90_seconds),
            _seconds(summed.recover_median_seconds, summed.recover_p90_seconds),
            str(summed.not_back),
            f"{summed.emptied_seconds:.0f} s",
        )
        for checker in run.checkers
        for summed in [run.total(checker)]
    ]
    return _table(head, rows)


def by_fault(run: Run) -> str:
    """Return a table with a row for each fault."""
    head = ("fault", "must go", *run.checkers)
    rows = [
        (
            fault.name,
            servers(fault.out),
            *(_cell(run.score(fault, checker)) for checker in run.checkers),
        )
        for fault in run.counted()
    ]
    return _table(head, rows)


def misses(run: Run) -> str:
    """Return what the agents missed or removed falsely, what they reported, and what would help."""
    lines = [
        f"- **{fault.name}**, {checker}: {text}\n"
        for fault in run.counted()
        for checker in run.checkers
        if checker in run.trials[fault.name].reasons
        for text in _wrong(run, fault, checker)
    ]
    return "".join(lines) or "None.\n"


def _wrong(run: Run, fault: Fault, checker: str) -> list[str]:
    trial, scored = run.trials[fault.name], run.score(fault, checker)
    reasons = trial.reasons[checker]
    found = []
    if scored.missed:
        reported = {reasons.get(server, "nothing") for server in scored.missed}
        texts = ", ".join(f"`{each}`" if each != "nothing" else each for each in sorted(reported))
        found.append(
            f"missed {servers(scored.missed)}, reported {texts}. {fault.caught_by}".rstrip()
        )
    if scored.removed_falsely:
        first = min(
            (
                change
                for change in trial.changes[checker]
                if change.server in scored.removed_falsely and not change.in_service
            ),
            key=lambda change: change.at,
        )
        found.append(
            f"removed {servers(scored.removed_falsely)} falsely, the first "
            f"{first.at - trial.began:.1f} s after the fault began: `{first.text}`"
        )
    return found


def descriptions(run: Run) -> str:
    """Return what each fault is, how it is undone, and what its control probes saw."""
    head = ("fault", "kind", "what is injected", "must go", "undone", "control probe")
    rows = [
        (
            fault.name,
            fault.kind.value,
            fault.injected,
            servers(fault.out) + (f"; either: {servers(fault.open)}" if fault.open else ""),
            fault.undone,
            _shown(fault),
        )
        for fault in run.faults
    ]
    return _table(head, rows)


def as_json(run: Run) -> str:
    """Return everything, for programs."""
    found = {
        "command": run.command,
        "date": run.date,
        "interval_seconds": run.interval_seconds,
        "versions": dict(run.versions),
        "totals": {
            checker: asdict(summed)
            | {"sensitivity": summed.sensitivity, "specificity": summed.specificity}
            for checker in run.checkers
            for summed in [run.total(checker)]
        },
        "not_counted": run.not_counted(),
        "faults": [
            {
                "name": fault.name,
                "kind": fault.kind.value,
                "out": fault.out,
                "open": fault.open,
                "reasons": run.trials[fault.name].reasons,
                "scores": {each: asdict(run.score(fault, each)) for each in run.checkers},
                "changes": {
                    checker: [
                        asdict(change) | {"at": round(change.at - trial.began, 3)}
                        for change in changes
                    ]
                    for checker, changes in trial.changes.items()
                },
            }
            for fault in run.counted()
            for trial in [run.trials[fault.name]]
        ],
    }
    return json.dumps(found, indent=2)


def _cell(scored: Score) -> str:
    parts = []
    if scored.found:
        slowest = max(scored.detect_seconds)
        parts.append(f"found {len(scored.found)} in {slowest:.1f} s")
    if scored.missed:
        parts.append(f"**missed {len(scored.missed)}**")
    if scored.removed_falsely:
        parts.append(f"**removed {len(scored.removed_falsely)} falsely**")
    if scored.emptied_seconds:
        parts.append(f"**emptied for {scored.emptied_seconds:.0f} s**")
    if scored.not_back:
        parts.append(f"{len(scored.not_back)} not back")
    return ", ".join(parts) or "kept all"


def _shown(fault: Fault) -> str:
    """Return what the probes must see, servers with the same together."""
    together: dict[str, list[int]] = {}
    for server, wanted in fault.shows.items():
        together.setdefault(wanted.what, []).append(server)
    return "; ".join(f"{servers(each)}: {what}" for what, each in together.items()) or "healthy"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%} ({part} of {whole})" if whole else "-"


def _seconds(median: float | None, p90: float | None) -> str:
    return "-" if median is None or p90 is None else f"{median:.1f} s, {p90:.1f} s"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _list(named: Mapping[str, str]) -> str:
    return "".join(f"- {name}: {text}\n" for name, text in named.items())
