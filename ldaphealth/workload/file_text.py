"""The YAML text of a workload, with comments for those who review it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import to_builtins

from ldaphealth.text.yaml_text import flow, flow_mapping, scalar
from ldaphealth.workload.shape import OperationShape, ValueSource, Workload

HEAD = """\
# Operations of clients, learnt from a log by `ldaphealth workload learn` (docs/workload.md).
# Only searches and compares can stand here. {name} is a value of a source, drawn when it is used.
"""
SOURCES = """
# Where values come from: an attribute of the entries below a base, the DNs of entries of a form, or
# a list of your own: {values: [one, two]}.
"""
SHAPES = """
# `share` is of all searches and compares in the log. `results` counts operations by result code,
# `entries` those that returned at most so many, `seconds` those that took at most so long.
"""


def workload_text(workload: Workload) -> str:
    """Return the content of the file."""
    return "".join(f"{line}\n" for line in _lines(workload))


def _lines(workload: Workload) -> Iterator[str]:
    yield HEAD.rstrip("\n")
    yield f"form: {workload.form}"
    yield f"operations: {workload.operations}"
    yield "left_out:" if workload.left_out else "left_out: {}"
    yield from (f"  {scalar(reason)}: {count}" for reason, count in workload.left_out.items())
    yield SOURCES.rstrip("\n")
    yield "sources:" if workload.sources else "sources: {}"
    yield from (f"  {scalar(name)}: {_source(each)}" for name, each in workload.sources.items())
    yield SHAPES.rstrip("\n")
    yield "shapes:"
    for shape in workload.shapes:
        lines = _shape(shape)
        yield f"  - {next(lines)}"
        yield from (f"    {line}" for line in lines)


def _source(source: ValueSource) -> str:
    return flow_mapping(_without_defaults(source, ValueSource()).items())


def _shape(shape: OperationShape) -> Iterator[str]:
    optional = ("filter", "attributes", "attribute", "value", "controls", "entries", "seconds")
    for key, value in to_builtins(shape, str_keys=False).items():
        if key in optional and not value:
            continue
        if isinstance(value, dict):
            yield f"{key}: {flow_mapping(value.items())}"
        elif isinstance(value, list | tuple):
            yield f"{key}: {flow(value)}"
        else:
            yield f"{key}: {scalar(value)}"


def _without_defaults(source: ValueSource, default: ValueSource) -> Mapping[str, Any]:
    return {
        key: value
        for key, value in to_builtins(source).items()
        if value != to_builtins(default)[key] or (key == "base" and source.attribute)
    }
