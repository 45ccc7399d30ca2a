"""The answer as the Nagios plugin guidelines want it: state, one short line, perfdata, details.

The command line calls it, and check_ldap.py for the plugin. Of nagiosplugin only `Performance` is
used: its runtime prints, exits, adds a warning line for each `|` it removes and ranks UNKNOWN above
CRITICAL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from math import isfinite
from zlib import crc32

from msgspec import Struct
from nagiosplugin import Performance

from ldaphealth.judging.thresholds import parse_range
from ldaphealth.model import Metric, Snapshot, State, Verdict, worst
from ldaphealth.sinks import SinkOptions, SinkOutput
from ldaphealth.sinks.summary import nagios_state, names, sentence, summary, troubles
from ldaphealth.text.ascii_line import ascii_line
from ldaphealth.text.number import decimal

# Nagios Core reads 4096 bytes (MAX_PLUGIN_OUTPUT_LENGTH); a line end and some air are left over.
MAX_BYTES = 4000
PERFDATA_BYTES = 2800
MORE_BYTES = 32  # kept for the line that says what was cut
LINE_CHARACTERS = 300
STATUS_CHARACTERS = 79  # "less than 80"; perfdata comes on top
SUMMARY_CHARACTERS = 20  # what a summary of the plugin gets at least
UNIQUE_CHARACTERS = 19  # the guidelines' length of an RRD name
WORD_CHARACTERS = 10  # what a label spends on its server, so that the metric is in those 19
LABEL_CHARACTERS = 60
RANGE_CHARACTERS = 64

UNITS = {"_seconds": "s", "_bytes": "B"}
UNSAFE_IN_LABEL = re.compile(r"[^A-Za-z0-9_.:/~ -]")
# `|` starts perfdata; the others are what Nagios itself strips (illegal_macro_output_chars), or
# markup in its pages. A single quote stays: our own sentences quote with it.
HARMLESS = str.maketrans(
    {'"': "'", "`": "'", "|": r"\x7c", "<": r"\x3c", ">": r"\x3e", "&": r"\x26", "$": r"\x24"}
)


class PluginExtras(Struct, frozen=True):
    """What a plugin says beside the snapshot.

    `first` is perfdata before all other, by its label, of what is never negative. `summary` stands
    in place of how many servers are in service; `notes` are lines of their own; `state_of` judges
    one server.
    """

    first: Mapping[str, Metric] = {}
    summary: str = ""
    notes: tuple[str, ...] = ()
    state_of: Callable[[Verdict], State] = nagios_state


def render(snapshot: Snapshot, options: SinkOptions) -> SinkOutput:
    """Format the snapshot; the exit status is the worst state."""
    return answer(snapshot, options, PluginExtras())


def answer(snapshot: Snapshot, options: SinkOptions, extra: PluginExtras) -> SinkOutput:
    """Format the snapshot in at most 4000 ASCII bytes; the exit status is the worst state.

    https://nagios-plugins.org/doc/guidelines.html; long text is cut before perfdata is, and of
    perfdata only whole items are left out, which a line then says.
    """
    state = worst(map(extra.state_of, snapshot.verdicts))
    before = [_performance(label, metric, "0") for label, metric in extra.first.items()]
    items = [str(each) for each in (*before, *performances(snapshot, extra.first))]
    perfdata = _fitting(items, PERFDATA_BYTES)
    first = _status_line(snapshot, state, extra) + (f" | {' '.join(perfdata)}" if perfdata else "")
    left_out = len(items) - len(perfdata)
    note = [f"{left_out} perfdata items left out: no room"] if left_out else []
    notes = [_harmless(each, LINE_CHARACTERS) for each in extra.notes]
    details = _finding_lines(snapshot) if options.verbose else ()
    lines = [*note, *notes, *_server_lines(snapshot, extra.state_of), *details]
    shown = _fitting(lines, MAX_BYTES - len(first) - MORE_BYTES)
    more = [f"... {len(lines) - len(shown)} more lines"] if len(shown) < len(lines) else []
    return SinkOutput("\n".join([first, *shown, *more]), state.value)


def performances(snapshot: Snapshot, besides: Iterable[str] = ()) -> Iterator[Performance]:
    """Yield perfdata, judged metrics first: with too many, those that nobody judges go first.

    The label is `server [label] metric`, and unlike any other in its first 19 characters.
    """
    heads = {label[:UNIQUE_CHARACTERS] for label in besides}
    for label, metric in sorted(_labelled(snapshot).items(), key=lambda each: _rank(each[1])):
        unlike = label if label[:UNIQUE_CHARACTERS] not in heads else f"{_digest(label)} {label}"
        if unlike[:UNIQUE_CHARACTERS] not in heads:
            heads.add(unlike[:UNIQUE_CHARACTERS])
            yield _performance(unlike, metric)


def _labelled(snapshot: Snapshot) -> Mapping[str, Metric]:
    shown = names(snapshot)
    labelled: dict[str, Metric] = {}
    for verdict in snapshot.verdicts:
        for finding in verdict.findings:
            for metric in finding.metrics:
                labelled.setdefault(_label(shown[verdict.server], metric), metric)
    return labelled


def _rank(metric: Metric) -> tuple[bool, str]:
    return not (metric.warning or metric.critical), metric.name


def _performance(label: str, metric: Metric, least: str = "") -> Performance:
    value = _number(metric.value)
    uom = next((uom for end, uom in UNITS.items() if metric.name.endswith(end)), "")
    unit = "" if value == "U" else uom
    return Performance(label, value, unit, _range(metric.warning), _range(metric.critical), least)


def _label(server: str, metric: Metric) -> str:
    """Return a label that depends on nothing else, so that graphs outlive a failed check."""
    words = (_short(server), _short(metric.label), metric.name)
    text = ascii_line(" ".join(word for word in words if word), LABEL_CHARACTERS)
    return UNSAFE_IN_LABEL.sub("_", text)


def _short(word: str) -> str:
    return word if len(word) <= WORD_CHARACTERS else f"{word[:5]}~{_digest(word)}"


def _digest(text: str) -> str:
    return f"{crc32(text.encode('utf-8', 'backslashreplace')) & 0xFFFF:04x}"


def _number(value: float) -> str:
    """Print without exponent, which perfdata does not know; U is a value that is not known."""
    if not isfinite(value):
        return "U"
    return decimal(value)


def _range(text: str) -> str:
    if not text or len(text) > RANGE_CHARACTERS:
        return ""
    try:
        return str(parse_range(text))
    except ValueError:  # a third party's metric; a graph without its line is no reason to fail
        return ""


def _status_line(snapshot: Snapshot, state: State, extra: PluginExtras) -> str:
    head = f"LDAP {state.name} - "
    if not snapshot.verdicts:
        return f"{head}no server was checked"
    tail = _plugin_summary(snapshot, head, extra.summary) or summary(snapshot)
    room = STATUS_CHARACTERS - len(head) - len(tail) - len("; ")
    told = _trouble_line(snapshot, room)
    return f"{head}{told}; {tail}" if told else head + tail


def _plugin_summary(snapshot: Snapshot, head: str, text: str) -> str:
    """Return as much of the summary as the causes leave room for."""
    causes = _harmless("; ".join(troubles(snapshot)), LINE_CHARACTERS)
    room = STATUS_CHARACTERS - len(head) - len(causes) - len("; ")
    return _harmless(text, max(room, SUMMARY_CHARACTERS))


def _trouble_line(snapshot: Snapshot, room: int) -> str:
    """Name the causes rather than every server, for which the lines below have room."""
    for most_names in (8, 1):
        told = _harmless("; ".join(troubles(snapshot, most_names)), LINE_CHARACTERS)
        if len(told) <= room:
            return told
    return ascii_line(told, room)


def _server_lines(snapshot: Snapshot, state_of: Callable[[Verdict], State]) -> Iterator[str]:
    shown = names(snapshot)
    for verdict in sorted(snapshot.verdicts, key=lambda v: -state_of(v).severity):
        head = f"{shown[verdict.server]} {state_of(verdict).name}: "
        yield _harmless(head + sentence(verdict), LINE_CHARACTERS)


def _finding_lines(snapshot: Snapshot) -> Iterator[str]:
    """Yield all that was seen, good or bad."""
    shown = names(snapshot)
    for verdict in snapshot.verdicts:
        for each in verdict.findings:
            line = f"{shown[verdict.server]} {each.reason} {each.state.name}: {each.summary}"
            yield _harmless(line, LINE_CHARACTERS)


def _harmless(text: str, limit: int) -> str:
    return ascii_line(text.translate(HARMLESS), limit)


def _fitting(texts: Sequence[str], room: int) -> list[str]:
    """Return the first texts that fit into `room` bytes, each with one byte between."""
    ends = accumulate(len(text) + 1 for text in texts)
    return [text for text, end in zip(texts, ends, strict=True) if end <= room]
