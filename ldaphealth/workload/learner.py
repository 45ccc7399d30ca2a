"""Learn the shapes of operations from the lines of a log, in one pass and a bounded memory.

A request and its result are joined by connection and operation; lines of many connections, servers
and files may be mixed. What has no result, or is no search and no compare, is only counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ldaphealth.ldap.names import ATTRIBUTE
from ldaphealth.workload.base_template import BaseTemplates
from ldaphealth.workload.filter_template import (
    defined_attributes,
    filter_template,
    is_template,
    undefined_attributes,
)
from ldaphealth.workload.log_line import (
    AttributesLine,
    CompareLine,
    CountedLine,
    LogLine,
    ResultLine,
    SearchLine,
    UnreadableLine,
    parse_log_line,
)
from ldaphealth.workload.shape import LONGEST_DN, LONGEST_FILTER, LONGEST_LIST
from ldaphealth.workload.tally import ShapeKey, Tally

MOST_OPEN = 20_000  # operations without a result yet; the oldest is given up
MOST_SHAPES = 2000  # at this number the rarer half is summed
PASSWORDS = frozenset(  # attributes whose values are never kept
    {b"authpassword", b"krbprincipalkey", b"sambalmpassword", b"sambantpassword", b"unicodepwd"}
    | {b"userpassword"}
)
DN_OF_BASE = b"dn"  # the key of whole bases among the values that are kept
_REQUESTED = re.compile(rf"[*+]|1\.1|@?{ATTRIBUTE}".encode())

RARE = "of rare shapes"
UNFINISHED = "without a result in the log"
UNREADABLE = "that could not be read"
UNDEFINED = "with attributes that the server does not know"


class Learner:
    """Shapes and counts of what was read so far.

    `shapes` are by their templates. `left_out` counts operations that are in no shape, by reason.
    With `keep_values`, tallies also count values of clients.
    """

    def __init__(self, *, keep_values: bool = False) -> None:
        self.shapes: dict[ShapeKey, Tally] = {}
        self.left_out: dict[str, int] = {}
        self._keep_values = keep_values
        self._bases = BaseTemplates()
        self._open: dict[bytes, SearchLine | CompareLine] = {}
        self._requested: dict[bytes, tuple[bytes, ...]] = {}
        self._templates: dict[bytes, bool] = {}
        self._readers: Mapping[type, Callable[[Any], None]] = {
            SearchLine: self._begin,
            CompareLine: self._begin,
            AttributesLine: self._request,
            ResultLine: self._end,
            CountedLine: lambda line: self._leave_out(line.kind),
            UnreadableLine: self._unreadable,
        }

    def read(self, line: bytes) -> None:
        """Learn from one line of a log, without its line feed."""
        parsed = parse_log_line(line)
        if parsed is not None:
            self._readers[type(parsed)](parsed)

    def learn(self, line: LogLine) -> None:
        """Learn from a line that was parsed, or from an entry of cn=accesslog as such lines."""
        self._readers[type(line)](line)

    def finish(self) -> None:
        """Count what has no result, and make the templates final; call it after the last line."""
        for _ in self._open:
            self._leave_out(UNFINISHED)
        self._open.clear()
        known = set[bytes]().union(*(defined_attributes(key.filter) for key in self.shapes))
        before, self.shapes = self.shapes, {}
        for key, tally in before.items():
            if undefined_attributes(key.filter) - known:
                self._leave_out(UNDEFINED, tally.count)
                continue
            final = key._replace(
                base=self._bases.final(key.base), filter=key.filter.replace(b"(?", b"(")
            )
            if final in self.shapes:
                self.shapes[final].merge(tally)
            else:
                self.shapes[final] = tally

    def _begin(self, line: SearchLine | CompareLine) -> None:
        if line.key in self._open:  # the server was started again, and counts anew
            self._give_up(line.key)
        elif len(self._open) >= MOST_OPEN:
            self._give_up(next(iter(self._open)))
        self._open[line.key] = line

    def _give_up(self, key: bytes) -> None:
        """Count an operation whose result will not be found."""
        del self._open[key]
        self._requested.pop(key, None)
        self._leave_out(UNFINISHED)

    def _unreadable(self, line: UnreadableLine) -> None:
        if line.key in self._open:
            self._give_up(line.key)
        self._leave_out(UNREADABLE)

    def _request(self, line: AttributesLine) -> None:
        if line.key in self._open:  # a long list has several lines
            before = self._requested.get(line.key, ())
            self._requested[line.key] = (before + line.names)[: LONGEST_LIST + 1]

    def _end(self, line: ResultLine) -> None:
        begun = self._open.pop(line.key, None)
        if begun is None:
            return
        requested = self._requested.pop(line.key, ())
        values: list[tuple[bytes, bytes]] | None = [] if self._keep_values else None
        try:
            if isinstance(begun, SearchLine):
                key = self._search_key(begun, line, requested, values)
            else:
                key = self._compare_key(begun)
        except ValueError as error:
            self._leave_out(str(error) if str(error) == UNDEFINED else UNREADABLE)
            return
        tally = self.shapes.get(key)
        if tally is None:
            if len(self.shapes) >= MOST_SHAPES:
                self._sum_rare()
            tally = self.shapes[key] = Tally()
        tally.add(line.code, line.entries, line.seconds)
        if values is not None:
            dn = begun.base if isinstance(begun, SearchLine) else begun.dn
            for attribute, value in (*values, (DN_OF_BASE, dn)):
                if attribute.lower() not in PASSWORDS:
                    tally.add_value(attribute, value)

    def _search_key(
        self,
        begun: SearchLine,
        ended: ResultLine,
        requested: tuple[bytes, ...],
        values: list[tuple[bytes, bytes]] | None,
    ) -> ShapeKey:
        """Return what a search has in common with others; ValueError if it cannot be read."""
        template = filter_template(begun.filter, values)
        if not self._is_template(template):
            raise ValueError(UNDEFINED if b"(?=" in template else UNREADABLE)
        attributes = requested if begun.attributes is None else begun.attributes
        if len(attributes) > LONGEST_LIST or not all(map(_REQUESTED.fullmatch, attributes)):
            raise ValueError(UNREADABLE)
        return ShapeKey(
            "search",
            self._base(begun.base),
            begun.scope,
            begun.deref,
            template,
            attributes,
            begun.controls or ended.controls,
        )

    def _compare_key(self, begun: CompareLine) -> ShapeKey:
        if not _REQUESTED.fullmatch(begun.attribute):
            raise ValueError(UNREADABLE)
        return ShapeKey("compare", self._base(begun.dn), 0, 0, begun.attribute, (), ())

    def _base(self, logged: bytes) -> str:
        if len(logged) > LONGEST_DN:
            raise ValueError(UNREADABLE)
        return self._bases.template(logged)

    def _is_template(self, template: bytes) -> bool:
        known = self._templates.get(template)
        if known is None:
            if len(self._templates) >= MOST_SHAPES:
                self._templates.clear()
            known = len(template) <= LONGEST_FILTER and is_template(template)
            self._templates[template] = known
        return known

    def _sum_rare(self) -> None:
        """Keep the more frequent half of the shapes."""
        ordered = sorted(self.shapes.items(), key=lambda item: -item[1].count)
        self.shapes = dict(ordered[: MOST_SHAPES // 2])
        self._leave_out(RARE, sum(tally.count for _, tally in ordered[MOST_SHAPES // 2 :]))

    def _leave_out(self, reason: str, count: int = 1) -> None:
        self.left_out[reason] = self.left_out.get(reason, 0) + count
