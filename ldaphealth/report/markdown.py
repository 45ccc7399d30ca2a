"""A report as Markdown, for a ticket: sections in the order in which people ask.

Text of servers and of people is escaped by text/markdown.py; nothing needs HTML or images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from ldaphealth.control.explanation_lines import DOCTOR, explanation_lines, wrapped
from ldaphealth.report.availability_section import availability_lines
from ldaphealth.report.summary import summary_lines
from ldaphealth.report.times_plot import plot_around, times_lines
from ldaphealth.report.verdict_words import causes_words, reasons_words, rule_words
from ldaphealth.text.duration import brief, duration, rounded_duration
from ldaphealth.text.listed import listed
from ldaphealth.text.markdown import code_span, fenced, inline
from ldaphealth.text.moment import epoch_of
from ldaphealth.text.override_words import override_words, without_fraction
from ldaphealth.text.quantity import quantity

Report = Mapping[str, Any]
Lines = Iterator[str]
MOST_SEEN_LINES = 60
COLUMNS = 96  # of what was seen
MOST_NAMES = 8


def markdown(report: Report) -> str:
    """Return the report as one document."""
    title = f"{inline(report['target'])}, " if report["target"] else ""
    head = [f"# LDAP report: {title}{report['since']} to {report['until']}", ""]
    sections = (
        ["", f"## {name}", "", *lines] for name, make in SECTIONS if (lines := [*make(report)])
    )
    return "\n".join([*head, *summary_lines(report), *chain.from_iterable(sections)]) + "\n"


def _incidents(report: Report) -> Lines:
    for each in report["incidents"]:
        end = f"to {each['to']}" if each["to"] else "on"
        by = f", marked by {inline(each['by'])}" if each["by"] else ""
        head = f"- {each['id']}: {code_span(each['target'])}, from {each['from']} {end}{by}:"
        yield f"{head} {inline(each['note'])}"
        yield f"  - {_found(each)}"


def _found(incident: Report) -> str:
    """Return what the verdicts said of an incident."""
    after = incident["found_after_seconds"]
    if after is None:
        return "no server was out of service in it"
    out = (
        f"{code_span(server)} was out of service for {rounded_duration(seconds)} of it"
        for server, seconds in incident["out_seconds"].items()
    )
    soon = f"first after {duration(after)}" if after >= 1 else "from its beginning on"
    return f"{', '.join(out)}; {soon}"


def _outages(report: Report) -> Lines:
    for number, each in enumerate(report["outages"]):
        yield from [""] if number else []
        lasted = rounded_duration(each["seconds"])
        yield f"### {code_span(each['server'])} out of service for {lasted}"
        yield ""
        yield from _outage(each)
    if left_out := report["outages_left_out"]:
        yield from ["", f"Left out: {quantity(left_out, 'shorter outage')}."]


def _outage(outage: Report) -> Lines:
    began = without_fraction(outage["began"])
    first = began if outage["has_begun"] else f"before {began}"
    last = without_fraction(outage["ended"] or "the end of this report, and still is")
    yield f"- From {first} to {last}"
    verdict = outage["verdict"]
    if override := verdict.get("override_in_force"):
        yield f"- Ordered: {inline(override_words(override))}"
    if words := reasons_words(verdict):
        yield f"- Found: {inline(words, MOST_CHARACTERS)}"
    if words := rule_words(verdict):
        yield f"- Guard: {inline(words)}"
    yield from _times_around(outage)
    if seen := outage["seen"]:
        again = f"ldaphealth explain {outage['server']} --at {outage['began']} --all"
        yield from ["", f"What the agent knew when it began (all of it: {code_span(again)}):", ""]
        yield from fenced(_seen_lines(seen))
    elif outage["seen_problem"]:
        yield from ["", f"What was seen is not known: {inline(outage['seen_problem'])}"]


def _seen_lines(seen: Mapping[str, Any]) -> list[str]:
    """Return the explanation of the moment, with the facts of what was not OK."""
    bad = [{**each, "remedy": ""} for each in seen["judged"] if each["state"] != "OK"]
    checks = {each["check"] for each in bad}
    shown = [each for each in seen["seen"] if each["check"] in checks or each["failure"]]
    lines = explanation_lines({**seen, "judged": bad, "seen": shown}, everything=True)
    lines = wrapped(lines[: lines.index(DOCTOR) - 1] if DOCTOR in lines else lines, COLUMNS)
    more = len(lines) - MOST_SEEN_LINES
    return [*lines[:MOST_SEEN_LINES], f"... {quantity(more, 'more line')}"] if more > 0 else lines


def _times_around(outage: Report) -> Lines:
    times = outage["times"]
    if not times:
        return
    words = ", ".join(
        f"{brief(times[key])} {when}"
        for key, when in (
            ("before", "in the 30 min before"),
            ("during", "meanwhile"),
            ("after", "in the 30 min after"),
        )
        if times[key] is not None
    )
    yield f"- Times of {code_span(outage['check'])}, 99 % of the operations at most: {words}"
    began = epoch_of(outage["began"])
    yield ""
    yield from fenced(plot_around(times["around"], (began, began + outage["seconds"])))


def _overrides(report: Report) -> Lines:
    for each in report["overrides"]:
        end = f", ended {without_fraction(each['ended'])}" if each["ended"] else ""
        back = f", taken back by {inline(each['taken_back_by'])}" if each["taken_back_by"] else ""
        words = inline(override_words(each), MOST_CHARACTERS)
        yield f"- {without_fraction(each['began'])} {code_span(each['server'])} {words}{end}{back}"


def _held(report: Report) -> Lines:
    for each in report["held"]:
        codes = f" with {causes_words(each['codes'])}" if each["codes"] else ""
        lasted = f"{quantity(each['times'], 'time')}, {rounded_duration(each['seconds'])}"
        yield f"- {code_span(each['server'])} {inline(each['words'])}{codes}: {lasted} in all"
    if left_out := report["held_left_out"]:
        yield f"- Left out: {quantity(left_out, 'shorter one')}"


def _timeline(report: Report) -> Lines:
    for each in report["timeline"]["events"]:
        subject = f" {code_span(each['subject'])}" if each["subject"] else ""
        why = f": {inline(each['why'], MOST_CHARACTERS)}" if each["why"] else ""
        yield f"- {without_fraction(each['at'])}{subject} {inline(each['what'])}{why}"
    if left_out := report["timeline"]["left_out"]:
        words = (f"{quantity(count, 'change')} {of}" for of, count in left_out.items())
        yield from ["", f"Left out, because there are many: {', '.join(words)}."]


def _times(report: Report) -> Lines:
    spans: dict[str, list[tuple[float, float]]] = {}
    for each in report["outages"]:
        began = epoch_of(each["began"])
        spans.setdefault(each["server"], []).append((began, began + each["seconds"]))
    for number, document in enumerate(report["times"]):
        lines, left_out = times_lines(document, spans)
        share = f"{100 * document['quantile']:g} %"
        yield from [""] if number else []
        yield f"{code_span(document['check'])}: {share} of the operations took at most so long."
        yield ""
        yield from fenced(lines)
        if left_out:
            yield from ["", f"Left out: {quantity(left_out, 'faster server')}."]


def _agent(report: Report) -> Lines:
    for each in report["starts"]:
        silent = each["silent_seconds"]
        before = f", nothing was recorded for {rounded_duration(silent)} before" if silent else ""
        what = "the journal has a gap"
        if each["is_start"]:
            what = f"the agent (ldaphealth {each['program']}) began to watch"
        yield f"- {each['at']} {inline(what)} {' '.join(map(code_span, each['clusters']))}{before}"


def _remedies(report: Report) -> Lines:
    for each in report["remedies"]:
        means = f": {inline(each['means'], MOST_CHARACTERS)}" if each["means"] else ""
        yield f"- {code_span(each['code'])}{means}"
        names = listed([code_span(name) for name in each["servers"]], MOST_NAMES)
        if each["remedy"]:
            yield f"  - {names}: {inline(each['remedy'], MOST_CHARACTERS)}"


def _left_out(report: Report) -> Lines:
    if report["changes_read_since"] > report["since"]:
        yield f"- changes of verdict before {report['changes_read_since']}: there are too many"
    yield from (f"- {inline(each)}" for each in report["problems"])


MOST_CHARACTERS = 4000  # of a remedy or of several reasons
SECTIONS: Sequence[tuple[str, Callable[[Report], Iterable[str]]]] = (
    ("Availability", availability_lines),
    ("Incidents", _incidents),
    ("Outages", _outages),
    ("Overrides", _overrides),
    ("Held by the guard", _held),
    ("What happened", _timeline),
    ("Times", _times),
    ("The agent", _agent),
    ("What to do", _remedies),
    ("What could not be read", _left_out),
)
