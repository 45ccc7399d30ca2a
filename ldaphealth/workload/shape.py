"""A workload: shapes of operations that clients do, and where the values in them come from.

`ldaphealth workload learn` writes it as a YAML file, and config/workload_file.py reads it. Nothing
but searches and compares can be described.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias, get_args

from msgspec import Meta, Struct, json

from ldaphealth.histogram import Histogram, bucket_ending_at
from ldaphealth.ldap.names import DN, NO_ATTRIBUTES, AttributeName, is_attribute, parse_dn
from ldaphealth.ldap.search_filter import encode
from ldaphealth.model import SettingMistakes
from ldaphealth.workload.base_template import ANY, split_dn
from ldaphealth.workload.filter_template import PLACEHOLDER, filled, placeholders
from ldaphealth.workload.workload_file import WorkloadFile

LONGEST_DN, LONGEST_FILTER = 1024, 4096  # characters of a template
LONGEST_LIST = 200  # requested attributes
FORM: Final = 1  # of the file
SearchScope: TypeAlias = Literal["base", "one", "sub", "subordinate"]
Dereference: TypeAlias = Literal["never", "searching", "finding", "always"]
SCOPES: tuple[SearchScope, ...] = get_args(SearchScope)  # by their numbers, RFC 4511 4.5.1.2
DEREFERENCES: tuple[Dereference, ...] = get_args(Dereference)  # RFC 4511 4.5.1.3
_SPECIAL_LISTS = ("*", "+", NO_ATTRIBUTES)

Name: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        max_length=64,
        description="a name of letters, digits, and . _ -",
    ),
]
Counted: TypeAlias = Annotated[int, Meta(ge=0)]


class ValueSource(Struct, frozen=True, kw_only=True):
    """Where values come from: an attribute of entries, the DNs of entries, or a list."""

    attribute: Annotated[
        AttributeName, Meta(description="an attribute of the entries below `base`")
    ] = AttributeName("")
    base: Annotated[DN, Meta(description="the DN below which `attribute` is read")] = DN("")
    dn: Annotated[
        str,
        Meta(
            max_length=LONGEST_DN,
            description="the DNs of entries of that form; a * stands for the value of an RDN",
        ),
    ] = ""
    values: Annotated[tuple[str, ...], Meta(max_length=1000, description="these values")] = ()

    def find_mistakes(self) -> SettingMistakes:
        """Yield what is wrong with a source that is not of one kind, or whose DN is none."""
        if sum(map(bool, (self.attribute, self.dn, self.values))) != 1:
            yield "", "needs one of `attribute` with `base`, `dn`, or `values`"
        if self.base and not self.attribute:
            yield "base", "stands with `attribute` only"
        if self.dn:
            try:
                split_dn(self.dn)
            except ValueError:
                yield "dn", "is not a DN, with * for values, such as uid=*,dc=example,dc=com"
            else:
                if f"={ANY}" not in self.dn:
                    yield "dn", "has no *, which stands for the value of an RDN"


class OperationShape(Struct, frozen=True, kw_only=True):
    """Operations that differ only in their values: `{name}` stands for a value of a source."""

    name: Name
    operation: Literal["search", "compare"]
    base: Annotated[str, Meta(max_length=LONGEST_DN, description="a DN, or one {name}")]
    scope: SearchScope = "base"
    deref: Dereference = "never"
    filter: Annotated[str, Meta(max_length=LONGEST_FILTER, description="of a search")] = ""
    attributes: Annotated[
        tuple[str, ...],
        Meta(max_length=LONGEST_LIST, description="requested by a search; none: all"),
    ] = ()
    attribute: Annotated[AttributeName, Meta(description="of a compare")] = AttributeName("")
    value: Annotated[str, Meta(max_length=4096, description="of a compare")] = ""
    controls: Annotated[
        tuple[str, ...], Meta(max_length=20, description="OIDs that the log showed")
    ] = ()
    count: Annotated[int, Meta(ge=1, description="operations in the log")]
    share: Annotated[float, Meta(ge=0, le=1, description="of all searches and compares in the log")]
    results: Annotated[Mapping[Counted, Counted], Meta(description="operations by result code")]
    entries: Annotated[
        Mapping[Counted, Counted], Meta(description="operations that returned at most so many")
    ] = {}
    seconds: Annotated[
        Mapping[Annotated[float, Meta(ge=0)], Counted],
        Meta(description="operations that took at most so long"),
    ] = {}

    @property
    def times(self) -> Histogram:
        """Return the times as a histogram; the ends of buckets stand for what was measured."""
        buckets = {bucket_ending_at(bound): count for bound, count in self.seconds.items()}
        return Histogram(
            count=sum(buckets.values()),
            sum=sum(bound * count for bound, count in self.seconds.items()),
            sum_of_squares=sum(bound * bound * count for bound, count in self.seconds.items()),
            least=min(self.seconds, default=0.0),
            most=max(self.seconds, default=0.0),
            buckets=buckets,
        )

    @property
    def sources(self) -> tuple[str, ...]:
        """Return the names of the sources that the templates name, each once."""
        return placeholders(self.base + self.filter + self.value)

    def find_mistakes(self) -> SettingMistakes:
        """Yield what is wrong with the combination of keys, and with templates."""
        wrong, wanted = (
            (("attribute", "value"), ("filter",))
            if self.operation == "search"
            else (("filter", "attributes"), ("attribute", "value"))
        )
        for key in wanted:
            if not getattr(self, key):
                yield key, f"is missing in a {self.operation}"
        for key in wrong:
            if getattr(self, key):
                yield key, f"is not for a {self.operation}"
        yield from self._wrong_templates()
        for name in self.attributes:
            if name not in _SPECIAL_LISTS and not is_attribute(name.removeprefix("@")):
                yield "attributes", f"{name!r} is not the name of an attribute (RFC 4512)"

    def _wrong_templates(self) -> Iterator[tuple[str, str]]:
        if not PLACEHOLDER.fullmatch(self.base):
            try:
                parse_dn(self.base)
            except ValueError as error:
                yield "base", f"{error}; or one name in braces"
            if PLACEHOLDER.search(self.base):
                yield "base", "is either a DN or one name in braces"
        if self.filter:
            try:
                encode(filled(self.filter, {}))
            except ValueError as error:
                yield "filter", str(error)


class Workload(Struct, frozen=True, kw_only=True):
    """Shapes with their shares, and the sources of their values."""

    form: Annotated[Literal[1], Meta(description="the form of this file")]
    operations: Annotated[
        int, Meta(ge=0, description="searches and compares in the log, also of rare shapes")
    ]
    left_out: Annotated[
        Mapping[str, Counted], Meta(description="operations in the log that are in no shape")
    ] = {}
    sources: Annotated[Mapping[Name, ValueSource], Meta(max_length=1000)] = {}
    shapes: Annotated[tuple[OperationShape, ...], Meta(min_length=1, max_length=500)]

    def in_file(self, path: Path) -> WorkloadFile:
        """Return it as the content of a file."""
        digest = hashlib.sha256(json.encode(self)).hexdigest()
        return WorkloadFile(path, self, digest)

    def find_mistakes(self) -> SettingMistakes:
        """Yield each source that is named and missing, and each name that is there twice."""
        names = [shape.name for shape in self.shapes]
        for number, shape in enumerate(self.shapes, 1):
            if shape.name in names[: number - 1]:
                yield f"shapes.{number}.name", f"{shape.name!r} is the name of another shape"
            for source in shape.sources:
                if source not in self.sources:
                    yield f"shapes.{number}", f"names {{{source}}}, which is not in `sources`"
            drawn = PLACEHOLDER.fullmatch(shape.base)
            found = self.sources.get(drawn[1]) if drawn else None
            if found and found.attribute:
                yield (
                    f"shapes.{number}.base",
                    "needs a source with `dn` or `values`",
                )
