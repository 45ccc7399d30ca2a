"""From what was counted to a workload: frequent shapes, with names, and sources of values. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from ldaphealth.histogram import upper_bound
from ldaphealth.ldap.names import DN, AttributeName
from ldaphealth.workload.base_template import ANY, constant_part
from ldaphealth.workload.filter_template import PLACEHOLDER, first_attribute, placeholders
from ldaphealth.workload.learner import DN_OF_BASE, RARE, Learner
from ldaphealth.workload.shape import (
    DEREFERENCES,
    FORM,
    SCOPES,
    OperationShape,
    ValueSource,
    Workload,
)
from ldaphealth.workload.tally import ShapeKey, Tally

LONGEST_WORD = 40  # of an attribute in a name
DIGITS = 4  # of the digest in the name of a shape


class NothingLearntError(Exception):
    """No shape is frequent enough."""


def learnt_workload(learner: Learner, at_least: int, most_shapes: int) -> Workload:
    """Return the most frequent shapes with at least so many operations; the others are summed.

    NothingLearntError if there is none.
    """
    reads = sum(tally.count for tally in learner.shapes.values()) + learner.left_out.get(RARE, 0)
    ordered = sorted(learner.shapes.items(), key=lambda item: (-item[1].count, item[0]))
    frequent = [each for each in ordered if each[1].count >= at_least][:most_shapes]
    rare = reads - sum(tally.count for _, tally in frequent)
    if not frequent:
        raise NothingLearntError
    sources = _Sources()
    names: set[str] = set()
    shapes = tuple(_shape(key, tally, reads, sources, names) for key, tally in frequent)
    left_out = learner.left_out | ({RARE: rare} if rare else {})
    return Workload(
        form=FORM,
        operations=reads,
        left_out=dict(sorted(left_out.items(), key=lambda item: -item[1])),
        sources=sources.by_name,
        shapes=shapes,
    )


class _Sources:
    """The sources that shapes name, each once."""

    def __init__(self) -> None:
        self.by_name: dict[str, ValueSource] = {}
        self._names: dict[ValueSource, str] = {}

    def name(self, wanted: str, source: ValueSource) -> str:
        """Return the name of a source: the one that is wanted, or that with a number."""
        found = self._names.get(source)
        if found is None:
            number, found = 2, wanted[:LONGEST_WORD]
            while found in self.by_name:
                number, found = number + 1, f"{wanted[:LONGEST_WORD]}-{number}"
            self.by_name[found], self._names[source] = source, found
        return found


def _shape(
    key: ShapeKey, tally: Tally, reads: int, sources: _Sources, names: set[str]
) -> OperationShape:
    base, below = key.base, DN(constant_part(key.base))
    if f"={ANY}" in base:
        first = base.partition("=")[0]
        base = f"{{{_named(f'{first}-entry', DN_OF_BASE, ValueSource(dn=base), tally, sources)}}}"
    template = key.filter.decode()
    attribute, value = "", ""
    if key.operation == "compare":
        attribute, template, value = template, "", f"{{{template.partition(';')[0]}}}"
    drawn: dict[str, str] = {}
    for kind in placeholders(template + value):
        source = ValueSource(attribute=AttributeName(kind), base=below)
        drawn[kind] = f"{{{_named(kind.lower(), kind.encode(), source, tally, sources)}}}"
    template, value = (
        PLACEHOLDER.sub(lambda found: drawn[found[1]], each) for each in (template, value)
    )
    return OperationShape(
        name=_name(key, names),
        operation="compare" if key.operation == "compare" else "search",
        base=base,
        scope=SCOPES[key.scope],
        deref=DEREFERENCES[key.deref],
        filter=template,
        attributes=tuple(each.decode() for each in key.attributes),
        attribute=AttributeName(attribute),
        value=value,
        controls=key.controls,
        count=tally.count,
        share=round(tally.count / reads, 6),
        results=_in_order(tally.results),
        entries=_in_order(tally.entries) if key.operation == "search" else {},
        seconds={
            float(f"{upper_bound(bucket):.3g}"): count
            for bucket, count in sorted(tally.times.items())
        },
    )


def _named(wanted: str, kind: bytes, source: ValueSource, tally: Tally, sources: _Sources) -> str:
    """Return the name of the source: a list if values were kept, the most frequent first."""
    kept = sorted(tally.values.get(kind, {}).items(), key=lambda item: -item[1])
    values = tuple(text for value, _ in kept if (text := _text(value)))
    return sources.name(wanted, ValueSource(values=values) if values else source)


def _text(value: bytes) -> str:
    """Return the value; "" if it is not UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return ""


def _name(key: ShapeKey, names: set[str]) -> str:
    """Return a name that is the same whenever the same shape is learnt."""
    attribute = first_attribute(key.filter.decode())[:LONGEST_WORD]
    digest = hashlib.sha256(repr(key).encode()).hexdigest()
    for digits in range(DIGITS, len(digest)):
        name = f"{key.operation}-{attribute}-{digest[:digits]}"
        if name not in names:
            break
    names.add(name)
    return name


def _in_order(counts: Mapping[int, int]) -> dict[int, int]:
    return dict(sorted(counts.items()))
