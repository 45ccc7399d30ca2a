"""Output according to the Nagios plugin guidelines: state, one short line, perfdata, details.

The command line calls it, and check_ldap.py for the plugin. Of nagiosplugin only `Performance` is
used. Its runtime prints and exits, adds a warning line for each `|` that it removes, and ranks
UNKNOWN above CRITICAL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import accumulate
from math import isfinite
from zlib import crc32

from msgspec import Struct
from nagiosplugin import Performance

from ldaphealth.judging.thresholds import parse_range
from ldaphealth.model import Metric, Snapshot, State, Verdict, worst
from ldaphealth.sinks import SinkOptions, SinkOutput
from ldaphealth.sinks.summary import (
    first_cause,
    is_stale,
    nagios_state,
    names,
    problems,
    sentence,
    summary,
    worst_first,
)
from ldaphealth.text.ascii_line import ascii_line
from ldaphealth.text.duration import without_durations
from ldaphealth.text.number import decimal
from ldaphealth.text.quantity import quantity

# Nagios Core reads 4096 bytes (MAX_PLUGIN_OUTPUT_LENGTH), line ends included.
MAX_BYTES = 4000
PERFDATA_BYTES = 2800
MORE_BYTES = 32  # reserved for the line that counts the omitted lines
LINE_CHARACTERS = 300
REASON_CHARACTERS = 600  # of a line with reasons, or with what to do
STATUS_CHARACTERS = 79  # "less than 80", without perfdata
SUMMARY_CHARACTERS = 20  # minimum for a summary of the plugin
# How many names of servers a problem has, and how long they may be; the first form that fits.
NAME_FORMS = ((8, 64), (1, 64), (1, 20), (0, 12))
WORD_CHARACTERS = 40  # of a server's name in a label, and of what distinguishes metrics
LABEL_CHARACTERS = 100
RANGE_CHARACTERS = 64

UNITS = {"_seconds": "s", "_bytes": "B"}
UNSAFE_IN_LABEL = re.compile(r"[^A-Za-z0-9_.:/~ -]")
# `|` starts perfdata. Nagios strips the others (illegal_macro_output_chars), or they are markup in
# its pages. A single quote stays, because messages of ldaphealth contain it.
ESCAPES = str.maketrans(
    {'"': "'", "`": "'", "|": r"\x7c", "<": r"\x3c", ">": r"\x3e", "&": r"\x26", "$": r"\x24"}
)


class PluginExtras(Struct, frozen=True):
    """What a plugin adds to the output.

    `first` is perfdata by label, printed before all other; its values are never negative. `summary`
    replaces the number of servers in service. `notes` are additional lines. `state_of` returns the
    state of one server.
    """

    first: Mapping[str, Metric] = {}
    summary: str = ""
    notes: tuple[str, ...] = ()
    state_of: Callable[[Verdict], State] = nagios_state


def render(snapshot: Snapshot, options: SinkOptions) -> SinkOutput:
    """Format the snapshot; the exit status is the worst state."""
    return plugin_output(snapshot, options, PluginExtras())


def plugin_output(snapshot: Snapshot, options: SinkOptions, extras: PluginExtras) -> SinkOutput:
    """Format the snapshot in at most 4000 ASCII bytes; the exit status is the worst state.

    https://nagios-plugins.org/doc/guidelines.html. Text is cut before perfdata. Of perfdata only
    whole items are left out; a line then states how many.
    """
    state = worst(map(extras.state_of, snapshot.verdicts))
    before = [_performance(label, metric, "0") for label, metric in extras.first.items()]
    items = [str(each) for each in (*before, *performances(snapshot, extras.first))]
    perfdata = _fitting(items, PERFDATA_BYTES)
    status, count = _status_line(snapshot, state, extras)
    first = status + (f" | {' '.join(perfdata)}" if perfdata else "")
    left_out = len(items) - len(perfdata)
    note = [f"{quantity(left_out, 'perfdata item')} left out: no room"] if left_out else []
    notes = [_escaped(each, LINE_CHARACTERS) for each in extras.notes]
    details = _finding_lines(snapshot) if options.verbose else ()
    lines = [
        *filter(None, [count]),
        *note,
        *notes,
        *_server_lines(snapshot, extras.state_of),
        *_next_step(snapshot),
        *details,
    ]
    shown = _fitting(lines, MAX_BYTES - len(first) - MORE_BYTES)
    more = (
        [f"... {quantity(len(lines) - len(shown), 'more line')}"] if len(shown) < len(lines) else []
    )
    return SinkOutput("\n".join([first, *shown, *more]), state.value)


def performances(snapshot: Snapshot, taken: Collection[str] = ()) -> Iterator[Performance]:
    """Yield perfdata, metrics with thresholds first: if there are too many, the others are cut.

    The label is `server [label] metric`, as docs/nagios.md says.
    """
    for label, metric in sorted(_labelled(snapshot).items(), key=lambda each: _rank(each[1])):
        if label not in taken:
            yield _performance(label, metric)


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
    """Return a label that depends on no other metric, so that a graph survives a failed check."""
    parts = (_short(server), _short(metric.label), metric.name)
    text = ascii_line(" ".join(part for part in parts if part), LABEL_CHARACTERS)
    return UNSAFE_IN_LABEL.sub("_", text)


def _short(name: str) -> str:
    """Return a name of a server or a metric; one that is too long is told from others by a sum."""
    if len(name) <= WORD_CHARACTERS:
        return name
    return f"{name[: WORD_CHARACTERS - 5]}~{_digest(name)}"


def _digest(text: str) -> str:
    return f"{crc32(text.encode('utf-8', 'backslashreplace')) & 0xFFFF:04x}"


def _number(value: float) -> str:
    """Return the number without exponent, which perfdata does not allow; U is an unknown value."""
    if not isfinite(value):
        return "U"
    return decimal(value)


def _range(text: str) -> str:
    if not text or len(text) > RANGE_CHARACTERS:
        return ""
    try:
        return str(parse_range(text))
    except ValueError:  # a third party's metric: omit its threshold rather than fail
        return ""


def _status_line(snapshot: Snapshot, state: State, extras: PluginExtras) -> tuple[str, str]:
    """Return the first line without perfdata, and how many are in service if that has no room.

    If all servers share one problem and stay in service, its sentence is better than their number.
    """
    head = f"LDAP {state.name} - "
    if not snapshot.verdicts:
        return f"{head}no server was checked", ""
    tail = summary(snapshot)
    room = STATUS_CHARACTERS - len(head)
    if shared := _shared_problem(snapshot):
        return head + _escaped(shared, room), tail
    listed = _problem_texts(snapshot, room, len(tail) if not extras.summary else SUMMARY_CHARACTERS)
    if extras.summary:
        tail = _escaped(extras.summary, max(room - len(listed) - len("; "), SUMMARY_CHARACTERS))
    whole = "; ".join(filter(None, (listed, tail)))
    return (head + whole, "") if len(whole) <= room else (head + ascii_line(listed, room), tail)


def _shared_problem(snapshot: Snapshot) -> str:
    """Return the one problem of several servers, all in service, with its sentence; else ""."""
    found = problems(snapshot, 0)
    number = len(snapshot.verdicts)
    codes = {cause.code if (cause := first_cause(each)) else "" for each in snapshot.verdicts}
    if number == 1 or len(found) != 1 or len(codes) > 1 or not snapshot.verdicts[0].reasons:
        return ""
    if not all(each.in_service and not is_stale(each) for each in snapshot.verdicts):
        return ""
    first = first_cause(snapshot.verdicts[0])
    what = found[0].replace(quantity(number, "server"), f"all {number}", 1)
    return f"{what}; {first.summary}" if first else what


def _next_step(snapshot: Snapshot) -> Iterator[str]:
    """Yield what to do about the first cause of the worst server."""
    for verdict in worst_first(snapshot)[:1]:
        cause = first_cause(verdict)
        if cause and cause.state is not State.OK and (step := verdict.remedies.get(cause.code)):
            yield _escaped(f"what to do about {cause.code}: {step}", REASON_CHARACTERS)


def _problem_texts(snapshot: Snapshot, room: int, tail_characters: int) -> str:
    """Return the problems; the code of the first one is always within the room.

    If there is no other way, further problems are cut, names of servers, and last the end of the
    line, which has `tail_characters`.
    """
    beside = room - tail_characters - len("; ")
    forms = [problems(snapshot, *form, timed=True) for form in NAME_FORMS]
    texts = [_escaped("; ".join(each), LINE_CHARACTERS) for each in forms]
    first = [_escaped("".join(each[:1]), LINE_CHARACTERS) for each in forms]
    if whole := [text for text in texts if len(text) <= beside]:
        return whole[0]
    for text, one in zip(texts, first, strict=True):
        if len(one) + len("; ...") <= beside:
            return ascii_line(text, beside)
    return next((one for one in first if len(one) <= room), ascii_line(first[-1], room))


def _server_lines(snapshot: Snapshot, state_of: Callable[[Verdict], State]) -> Iterator[str]:
    """Yield a line for each server, the worst first; a sentence that servers share stands once."""
    shown = names(snapshot)
    first: dict[str, str] = {}
    for verdict in sorted(snapshot.verdicts, key=lambda v: -state_of(v).severity):
        name, state = shown[verdict.server], state_of(verdict)
        said = sentence(verdict)
        like = first.setdefault(without_durations(said), name) if verdict.reasons else name
        text = said if like == name else f"the same as {like}"
        yield _escaped(f"{name} {state.name}: {text}", REASON_CHARACTERS)


def _finding_lines(snapshot: Snapshot) -> Iterator[str]:
    """Yield a line for each finding, whatever its state."""
    shown = names(snapshot)
    for verdict in snapshot.verdicts:
        for each in verdict.findings:
            line = f"{shown[verdict.server]} {each.reason} {each.state.name}: {each.summary}"
            yield _escaped(line, LINE_CHARACTERS)


def _escaped(text: str, limit: int) -> str:
    return ascii_line(text.replace(" | ", " / ").translate(ESCAPES), limit)


def _fitting(texts: Sequence[str], room: int) -> list[str]:
    """Return the first texts that fit into `room` bytes, with one byte after each."""
    ends = accumulate(len(text) + 1 for text in texts)
    return [text for text, end in zip(texts, ends, strict=True) if end <= room]
