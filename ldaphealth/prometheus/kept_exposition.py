"""The response to a scrape, of which the lines of a server are kept while what they tell is equal.

The library writes each line once, without its number. A number is written again when the part of
the live state that it depends on (parts.py) has changed. `exposition` returns the same bytes and
keeps nothing; tests compare both.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakValueDictionary

from msgspec import Struct

from ldaphealth.clocks import BootSeconds
from ldaphealth.live.health import AgentHealth
from ldaphealth.live.live_server import LiveServer
from ldaphealth.live.live_state import LiveView
from ldaphealth.octaves import Octaves
from ldaphealth.prometheus.encoder import (
    MOST_SERIES,
    Scrape,
    escaped,
    header,
    label,
    lines,
    negotiated,
    number_texts,
)
from ldaphealth.prometheus.exposition import exposition, server_labels
from ldaphealth.prometheus.family import Family, Labels
from ldaphealth.prometheus.parts import ScrapedServer
from ldaphealth.prometheus.table import AGENT, ALWAYS, ANSWER, VERDICT

OF_SERVERS: tuple[Family[ScrapedServer], ...] = (*ALWAYS, *VERDICT)
PARTS = tuple(family.part for family in OF_SERVERS)
PARTS_ALWAYS = PARTS[: len(ALWAYS)]  # also of servers without a valid verdict
NO_VERDICT = [None] * len(VERDICT)
PLACES = ("\0", "\1")  # of the names of a server in lines; no label has them (`text.printable`)


class _Lines(Struct, frozen=True, weakref=True):
    """The lines of a family with these labels on any server: `text` has `%s` for each number.

    `chosen` are the series that are not left out.
    """

    labels: tuple[Labels, ...]
    chosen: Sequence[int]
    text: str

    @classmethod
    def of(cls, family: Family[ScrapedServer], labels: tuple[Labels, ...]) -> _Lines:
        chosen: dict[Labels, int] = {}
        for number, each in enumerate(labels):
            chosen.setdefault(tuple(map(label, each)), number)
        written = lines(family, [(*PLACES, *each) for each in chosen])
        text = "".join(f"{each.replace('%', '%%')} %s\n" for each in written)
        return cls(labels, tuple(chosen.values()), text)

    def of_server(self, cluster: str, server: str) -> str:
        """Return the text with the names of a server."""
        for_cluster, for_server = PLACES
        return self.text.replace(for_cluster, cluster).replace(for_server, server)


# Those that servers use now, by the place of their family and the labels.
_LinesInUse = WeakValueDictionary[tuple[int, tuple[Labels, ...]], _Lines]


class _KeptServer:
    """What is kept of a server; in lists, by the place of the family.

    `texts` are its lines with numbers, `left_out` how many series are not among them.
    """

    __slots__ = (
        "_is_valid",
        "_known",
        "_lines",
        "_names",
        "_parts",
        "_without_numbers",
        "left_out",
        "texts",
    )

    def __init__(self, server: str) -> None:
        self._names = [escaped(each).replace("%", "%%") for each in server_labels(server)]
        self._known: LiveServer | None = None
        self._is_valid = False
        self._parts: list[Any] = [None] * len(OF_SERVERS)
        self._lines: list[_Lines | None] = [None] * len(OF_SERVERS)
        self._without_numbers = [""] * len(OF_SERVERS)
        self.texts = [""] * len(OF_SERVERS)
        self.left_out: dict[int, int] = {}

    def update(self, known: LiveServer, in_use: _LinesInUse, *, is_valid: bool) -> None:
        """Write what has changed."""
        if known is self._known and is_valid is self._is_valid:
            return
        self._known, self._is_valid = known, is_valid
        shown = ScrapedServer.of(known, is_valid=is_valid)
        if is_valid:
            parts = [part_of(shown) for part_of in PARTS]
        else:
            parts = [part_of(shown) for part_of in PARTS_ALWAYS] + NO_VERDICT
        before, self._parts = self._parts, parts
        for place, (part, earlier) in enumerate(zip(parts, before, strict=True)):
            if part is not earlier and part != earlier:
                self._write(place, part, in_use)

    def _write(self, place: int, part: Any, in_use: _LinesInUse) -> None:
        series = [] if part is None else [*OF_SERVERS[place].read(part)]
        self.left_out.pop(place, None)
        if not series:
            self._lines[place], self._without_numbers[place], self.texts[place] = None, "", ""
            return
        labels: tuple[Labels, ...]
        values: tuple[float | Octaves, ...]
        labels, values = zip(*series[:MOST_SERIES], strict=True)
        found = self._lines[place]
        if found is None or found.labels != labels:
            found = in_use.get((place, labels)) or _Lines.of(OF_SERVERS[place], labels)
            self._lines[place] = in_use[place, labels] = found
            self._without_numbers[place] = found.of_server(*self._names)
        if len(found.chosen) < len(series):
            self.left_out[place] = len(series) - len(found.chosen)
            values = tuple(values[number] for number in found.chosen)
        numbers = tuple(number_texts(OF_SERVERS[place], values))
        self.texts[place] = self._without_numbers[place] % numbers


class KeptExposition:
    """Responses to scrapes. Any thread may request one; they are made one after the other.

    What is kept is bounded by the servers of the newest view.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # held while a response is made, which waits for nothing
        self._servers: dict[str, _KeptServer] = {}
        self._are_distinct = True  # no two servers have the same names in labels
        self._lines_in_use: _LinesInUse = WeakValueDictionary()

    def exposition(
        self, view: LiveView, health: AgentHealth, now: BootSeconds, accept: str = ""
    ) -> tuple[bytes, str]:
        """Return what `exposition` returns."""
        form = negotiated(accept)
        if not form.has_plain_lines:
            return exposition(view, health, now, accept)
        with self._lock:
            self._update(dict(view.servers()), now)
            are_distinct, shown = self._are_distinct, [*self._servers.values()]
            left_out = sum(sum(each.left_out.values()) for each in shown)
            by_family = zip(*(each.texts for each in shown), strict=True)
            texts = ["".join(of).encode() for of in by_family]
        if not are_distinct:  # then series of one server may be duplicates of another's
            return exposition(view, health, now, accept)
        scrape = Scrape()
        scrape.add(AGENT, [((), health)])
        scrape.add(ANSWER, [((), left_out + scrape.left_out)])
        pieces: list[bytes] = []
        for family, text in zip(OF_SERVERS, texts, strict=bool(shown)):
            if text:
                pieces += (header(family, is_openmetrics=form.is_openmetrics), text)
        return b"".join([*pieces, form.encode(scrape)]), form.content_type

    def _update(self, servers: Mapping[str, LiveServer], now: BootSeconds) -> None:
        kept, self._servers = self._servers, {}  # after an error nothing is kept
        if [*kept] != [*servers]:
            kept = {server: kept.get(server) or _KeptServer(server) for server in servers}
            self._are_distinct = len({server_labels(server) for server in servers}) == len(servers)
        for known, each in zip(servers.values(), kept.values(), strict=True):
            each.update(known, self._lines_in_use, is_valid=not known.is_stale(now))
        self._servers = kept
