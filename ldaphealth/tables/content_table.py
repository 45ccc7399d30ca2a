"""A table of the entries that differ: which servers have which version, and which have none.

`ldaphealth content diff` calls it with the document of content_report.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from ldaphealth.text.printable import printable
from ldaphealth.text.quantity import plural_of, quantity

LACKS_MANY = 100
SHOWN_DIGITS = 8  # of a digest
HINT = (
    "{server} lacks {count:,} {entries} that others have: lost, or the account has no right "
    "to read them there"
)


def render_differences(report: Mapping[str, Any]) -> Group:
    """Return the table and its summary, for terminal.py."""
    parts: list[Table | Text] = []
    if report["differences"]:
        parts += [_table(report), Text("")]
    return Group(*parts, *_summary(report))


def _table(report: Mapping[str, Any]) -> Table:
    rows = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("ENTRY", "SERVERS", "ENTRYCSN"):
        rows.add_column(heading, overflow="fold")
    for each in report["differences"]:
        name = Text(printable(each["dn"]), "bold")
        for servers, version, is_odd in _versions(each):
            style = "bold red" if is_odd else ""
            rows.add_row(name, Text(", ".join(map(_short, servers)), style), Text(version, style))
            name = Text("")
        if each["attributes"]:
            differing = ", ".join(map(printable, each["attributes"]))
            rows.add_row(name, "", f"values of {differing} differ")
    return rows


def _versions(each: Mapping[str, Any]) -> Iterator[tuple[list[str], str, bool]]:
    """Yield the servers that have the same version, the largest group first."""
    alike: dict[str, list[str]] = {}
    uuids = {version["entry_uuid"] for version in each["versions"].values()}
    for server, version in each["versions"].items():
        text = printable(version["entry_csn"])
        if len(uuids) > 1:  # the same name, but not the same entry
            text += f" entryUUID {version['entry_uuid']}"
        if each["attributes"]:
            text += f" values {version['values'][:SHOWN_DIGITS]}"
        alike.setdefault(text, []).append(server)
    if each["missing"]:
        alike["lacks it"] = each["missing"]
    for text, servers in sorted(alike.items(), key=lambda item: -len(item[1])):
        yield servers, text, servers[0] in each["odd"]


def _summary(report: Mapping[str, Any]) -> Iterator[Text]:
    compared = [each for each in report["servers"] if not each["not_compared"]]
    for each in report["servers"]:
        if each["not_compared"]:
            why = printable(each["not_compared"])
            yield Text(f"{_short(each['server'])} was not compared: {why}", "bold yellow")
        if each["lacking"] >= LACKS_MANY:
            hint = HINT.format(
                server=_short(each["server"]),
                count=each["lacking"],
                entries=_entries(each["lacking"]),
            )
            yield Text(hint, "yellow")
    yield from _values(report["values"])
    if report["unsettled"]:
        count = report["unsettled"]
        text = f"{count:,} {_entries(count)} kept changing and could not be compared"
        yield Text(text, "yellow")
    more = report["different"] - len(report["differences"])
    if more > 0:
        yield Text(f"and {more:,} more, which are not listed (--most)", "yellow")
    entries = max((each["entries"] for each in compared), default=0)
    servers = quantity(len(report["servers"]), "server")
    where = f"{entries:,} {_entries(entries)} on {len(compared)} of {servers}"
    duration = f"compared in {report['duration_seconds']:.0f} s"
    different = report["different"]
    if different:
        verb = "entry differs" if different == 1 else "entries differ"
        yield Text(f"{different:,} {verb}; {where} {duration}", "bold red")
    elif len(compared) > 1:
        yield Text(f"no difference; {where} {duration}", "bold green")


def _entries(count: int) -> str:
    return plural_of(count, "entry", "entries")


def _values(values: Mapping[str, Any] | None) -> Iterator[Text]:
    """Yield which values were compared, and which were not."""
    if values is None:
        return
    text = f"values compared of {', '.join(map(printable, values['compared'])) or 'no attribute'}"
    if values["except"]:
        text += f"; excepted: {', '.join(values['except'])}"
    yield Text(text)
    for name, servers in values["unreadable"].items():
        where = ", ".join(map(_short, servers))
        why = f"the account may not read it on {where}, and it may on others"
        yield Text(f"values of {printable(name)} were not compared: {why}", "bold yellow")


def _short(server: str) -> str:
    return server.rpartition("/")[2]
