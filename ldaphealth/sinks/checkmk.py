"""The verdicts as a checkmk local check, one line per server: `status item metrics text`.

https://docs.checkmk.com/latest/en/localchecks.html; checkmk's agent runs a script that prints them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import isfinite
from zlib import crc32

from ldaphealth.model import Metric, Snapshot, Verdict
from ldaphealth.sinks import SinkOptions, SinkOutput, exit_status
from ldaphealth.sinks.summary import nagios_state, sentence
from ldaphealth.text.ascii_line import ascii_line
from ldaphealth.text.number import decimal

ITEM_CHARACTERS = 80
METRIC_CHARACTERS = 60
METRICS_CHARACTERS = 2000
TEXT_CHARACTERS = 500

UNSAFE_IN_ITEM = re.compile(r"[^A-Za-z0-9_.:/-]")
UNSAFE_IN_METRIC = re.compile(r"[^A-Za-z0-9_]")
# checkmk has upper levels and `lower:upper`, but no ranges that alert inside.
LEVEL = re.compile(r"(?:-?[0-9.]+:)?(?:-?[0-9.]+)?")
# checkmk replaces `\n` (two characters) by a line end; in Nagios, its core, `|` starts perfdata.
REPLACEMENTS = str.maketrans({"\\": "/", "|": "/"})


def render(snapshot: Snapshot, _: SinkOptions) -> SinkOutput:
    """Format the snapshot. checkmk ignores the exit status of a local check."""
    return SinkOutput("\n".join(map(_line, snapshot.verdicts)), exit_status(snapshot))


def _line(verdict: Verdict) -> str:
    status, item = nagios_state(verdict).value, _item(verdict.server)
    text = ascii_line(sentence(verdict), TEXT_CHARACTERS).translate(REPLACEMENTS)
    return f"{status} {item} {_metrics(verdict)} {text}"


def _item(server: str) -> str:
    """Return the name of the service. It must never change: checkmk identifies it so."""
    safe = UNSAFE_IN_ITEM.sub("_", server[:ITEM_CHARACTERS])
    if safe == server:
        return f"LDAP_{server}"
    return f"LDAP_{safe}_{crc32(server.encode('utf-8', 'backslashreplace')):08x}"


def _metrics(verdict: Verdict) -> str:
    """Return the metrics that fit, each name once; `-` for none."""
    shown: dict[str, str] = {}
    room = METRICS_CHARACTERS
    for metric in _finite(verdict):
        name = _name(metric)
        text = f"{name}={decimal(metric.value)}{_levels(metric)}"
        if name not in shown and len(text) < room:
            shown[name] = text
            room -= len(text) + 1
    return "|".join(shown.values()) or "-"


def _finite(verdict: Verdict) -> Iterator[Metric]:
    for finding in verdict.findings:
        yield from (metric for metric in finding.metrics if isfinite(metric.value))


def _name(metric: Metric) -> str:
    full = f"{metric.name}_{metric.label}" if metric.label else metric.name
    name = UNSAFE_IN_METRIC.sub("_", full[:METRIC_CHARACTERS])
    return name if name[:1].isalpha() else f"m{name}"


def _levels(metric: Metric) -> str:
    """Return `;warning;critical`; ranges that checkmk does not support are left out."""
    supported = (
        text if LEVEL.fullmatch(text) else ""
        for text in (metric.warning.removeprefix("~:"), metric.critical.removeprefix("~:"))
    )
    return f";{';'.join(supported)}".rstrip(";")
