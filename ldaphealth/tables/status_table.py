"""The status of the agent as a table: the verdicts, what holds them, and the agent itself.

`ldaphealth status` calls it with the document from the agent. The worst server is the first, and
the last line says what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.text import Text

from ldaphealth.model import State
from ldaphealth.tables.rows import Row, Rows
from ldaphealth.tables.service_line import ServerState, service_line
from ldaphealth.text.duration import SHORT_SECONDS, brief, duration, one_unit, without_durations
from ldaphealth.text.override_words import override_words
from ldaphealth.text.printable import printable
from ldaphealth.text.quantity import quantity

STYLES = {"OK": "green", "WARNING": "yellow", "CRITICAL": "red", "UNKNOWN": "cyan"}
HEADINGS = ("SERVER", "STATE", "SERVICE", "FOR", "WEIGHT", "ROLE", "LAG")
# The metrics of replication (docs/metrics.md) that are a lag, and the word for each.
LAGS: Mapping[str, str] = {
    "split_seconds": "split",
    "isolated_seconds": "isolated",
    "behind_seconds": "behind",
}
NOT_KNOWN = "-"
SPARE = ("ROLE",)  # the configuration has it

# The first server with a reason, by the code and the sentence of the reason without times.
FirstWith = Mapping[tuple[str, str], str]


def render_status(document: Mapping[str, Any]) -> Group:
    """Return the table and its summary, for terminal.py."""
    fresh = {server for server, left in document["valid_seconds"].items() if left > 0}
    verdicts = sorted(document["verdicts"], key=lambda each: _rank(each, each["server"] in fresh))
    first = _first_with(verdicts)
    rows = [_row(each, document, first, each["server"] in fresh) for each in verdicts]
    floors = [
        Text(printable(each["summary"]), "bold red") for each in document.get("below_floor", ())
    ]
    parts = document.get("shards", [document])
    failures = dict.fromkeys(each.get("agent", {}).get("reload_failure") for each in parts)
    return Group(
        Rows(HEADINGS, rows, right=frozenset({"WEIGHT"}), spare=SPARE),
        "",
        *(line for each in parts for line in _about_agent(each)),
        *_elsewhere(parts),
        *floors,
        *(Text(printable(each, 400), "bold yellow") for each in failures if each),
        *_next_step(verdicts, fresh),
        _last_line(verdicts, fresh, [each["shard"] for each in parts if "error" in each]),
    )


def _about_agent(part: Mapping[str, Any]) -> Iterator[Text]:
    """Yield the lines on the agent, or on one shard of it."""
    if "error" in part:
        unknown = f"shard {part['shard']}: no answer, and none of its servers is shown"
        yield Text(printable(unknown), "bold red")
        return
    agent = part["agent"]
    is_shard = agent.get("shards", 1) > 1  # an agent of before has none
    yield Text(
        (f"shard {agent['shard']}/{agent['shards']}: " if is_shard else "")
        + f"agent {printable(agent['version'])}, up {duration(agent['up_seconds'])}, "
        f"{quantity(agent['servers'], 'server')}, {quantity(agent['rounds'], 'round')}: "
        f"{agent['in_flight']} in progress, {agent['overruns']} left out"
    )
    if agent["waiting"]:
        late = (
            f"{quantity(agent['waiting'], 'round')} due and not begun: this host has too little CPU"
        )
        yield Text(f"{late}, and servers may seem slow for that reason", "bold yellow")
    listens = part.get("listens", {}).items()
    where = ", ".join(f"{address} ({service})" for service, address in listens)
    if where:
        yield Text(printable(f"listens on {where}"))
    yield from _history_cut(agent)


def _elsewhere(parts: Sequence[Mapping[str, Any]]) -> list[Text]:
    """Return a line if some shards are not of this host; it cannot know whether they run."""
    count = max(each["agent"].get("shards", 1) for each in parts if "agent" in each)
    if count <= len(parts):
        return []
    return [
        Text(f"shards on this host: {len(parts)} of {count}; ask the others on theirs", "yellow")
    ]


def _history_cut(agent: Mapping[str, Any]) -> list[Text]:
    """Return a sentence if a full history has lost something; older agents do not say so."""
    cut = [f"{printable(name)}s" for name, count in agent.get("history_cuts", {}).items() if count]
    if not cut:
        return []
    ages = agent["history_oldest_age_seconds"].items()
    reach = ", ".join(f"{printable(name)}s for {duration(seconds)}" for name, seconds in ages)
    sentence = f"the history is full: its oldest {' and '.join(cut)} were deleted; it has {reach}"
    return [Text(f"{sentence}; raise agent.history.megabytes to keep more", "bold yellow")]


def _last_line(
    verdicts: list[Mapping[str, Any]], fresh: set[str], silent_shards: list[str]
) -> Text:
    """Return the state of all servers in a line; shards without an answer have more of them."""
    states = [_server_state(each, each["server"] in fresh) for each in verdicts]
    is_fine = not silent_shards and all(is_in and state == "OK" for is_in, state, _ in states)
    unknown = "".join(f"; those of shard {printable(each)} are unknown" for each in silent_shards)
    return Text(service_line(states) + unknown, "bold green" if is_fine else "bold red")


def _server_state(verdict: Mapping[str, Any], is_fresh: bool) -> ServerState:
    if not is_fresh:
        return False, "UNKNOWN", [("agent.stale", "UNKNOWN")]
    reasons = [(printable(each["code"]), each["state"]) for each in verdict["reasons"]]
    return verdict["in_service"], verdict["state"], reasons


def _next_step(verdicts: list[Mapping[str, Any]], fresh: set[str]) -> list[Text]:
    """Return the commands that say what to do if something is wrong, the worst server first."""
    if not verdicts or _server_state(verdicts[0], verdicts[0]["server"] in fresh)[1] == "OK":
        return []
    return [
        Text(f"what to do: ldaphealth explain {printable(verdicts[0]['server'])}"),
        Text("            ldaphealth doctor (tries everything once, and says what mends it)"),
    ]


def _rank(verdict: Mapping[str, Any], is_fresh: bool) -> tuple[int, int]:
    """Return a sort key, the worst first: a server that went out is as bad as CRITICAL."""
    in_service, state, _ = _server_state(verdict, is_fresh)
    severity = State[state].severity
    went_out = not in_service and not verdict.get("override_in_force")
    return -max(severity, State.CRITICAL.severity if went_out else 0), -severity


def _row(
    verdict: Mapping[str, Any], document: Mapping[str, Any], first: FirstWith, is_fresh: bool
) -> Row:
    state = verdict["state"] if is_fresh else "UNKNOWN"
    role = document.get("roles", {}).get(verdict["server"], NOT_KNOWN)
    details = [*_held(verdict, document["overrides"]), *_why(verdict, first)]
    details += _would(verdict, document) if is_fresh else ()
    return Row(
        (
            Text(printable(verdict["server"]), "bold"),
            Text(state, STYLES[state]),
            _service(verdict, is_fresh),
            Text(one_unit(verdict["lasted_seconds"])),
            Text(str(verdict["weight"])),
            Text(role),
            _lag(verdict) if is_fresh else Text(NOT_KNOWN),
        ),
        details,
        is_short=state == "OK" and verdict["in_service"] and not details,
    )


def _service(verdict: Mapping[str, Any], is_fresh: bool) -> Text:
    if not is_fresh:
        return Text("no fresh verdict", "bold red")
    if verdict["in_service"]:
        return Text("in service", "green")
    return Text("draining" if verdict["draining"] else "OUT", "bold red")


def _lag(verdict: Mapping[str, Any]) -> Text:
    """Return the longest time for which changes are known to be missing, by any check."""
    found = [
        (metric["value"] or 0.0, LAGS[metric["name"]])
        for finding in verdict["findings"]
        for metric in finding["metrics"]
        if metric["name"] in LAGS
    ]
    seconds, word = max(found, default=(-1.0, ""))
    if seconds < 0:
        return Text(NOT_KNOWN)
    if seconds == 0:
        return Text("0 s")
    shown = brief(seconds) if seconds < SHORT_SECONDS else one_unit(seconds)
    return Text(f"{word} {shown}", "bold red")


def _held(verdict: Mapping[str, Any], overrides: Mapping[str, Any]) -> Iterator[Text]:
    """Yield the rule that holds the server; of an override who set it, why and until when."""
    held, order = printable(verdict["held_by"]), overrides.get(verdict["server"])
    if not held:
        return
    override = verdict.get("override_in_force")
    if order is None or override is None:
        usual = f"held by {held}"  # an older agent has no words
        yield Text(printable(verdict.get("held", usual)), "bold")
    else:
        left = duration(order["left_seconds"])
        yield Text(f"held by {held}, {left} left: {override_words(override)}", "bold")


def _would(verdict: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[Text]:
    """Yield what the shadow of the cluster would have done otherwise."""
    shadow = document.get("shadow", {}).get(verdict["server"])  # an agent of before has none
    if shadow and shadow["would"]:
        yield Text(f"shadow: {printable(shadow['would'])}", "italic")


def _first_with(verdicts: Iterable[Mapping[str, Any]]) -> FirstWith:
    found: dict[tuple[str, str], str] = {}
    for verdict in verdicts:
        for reason in verdict["reasons"]:
            found.setdefault(_alike(reason), verdict["server"])
    return found


def _alike(reason: Mapping[str, Any]) -> tuple[str, str]:
    return reason["code"], without_durations(reason["summary"])


def _why(verdict: Mapping[str, Any], first: FirstWith) -> Iterator[Text]:
    """Yield each reason once; its sentence is only at the first server that has the same one."""
    for reason in {_alike(each): each for each in verdict["reasons"]}.values():
        yield _reason(reason, first[_alike(reason)], verdict["server"])


def _reason(reason: Mapping[str, Any], first: str, server: str) -> Text:
    sentence = reason["summary"] if first == server else f"the same as {first}"
    return Text.assemble(
        (f"{reason['state']} {printable(reason['code'])}", STYLES[reason["state"]]),
        f": {printable(sentence)}",
    )
