"""Draw operations of a workload: by their shares, and the same ones for the same seed. Pure."""

from __future__ import annotations

import random
import shlex
from collections.abc import Mapping, Sequence

from msgspec import Struct

from ldaphealth.workload.filter_template import PLACEHOLDER, filled
from ldaphealth.workload.shape import OperationShape, Workload


class DrawnOperation(Struct, frozen=True, kw_only=True):
    """A search or a compare with its values. `shape` has what does not differ."""

    shape: OperationShape
    base: str
    filter: str = ""
    value: str = ""


def draw(
    workload: Workload, values: Mapping[str, Sequence[str]], seed: str, count: int
) -> tuple[DrawnOperation, ...]:
    """Return so many operations; none if no shape has values for all of its sources.

    `values` are by the names of sources. The same arguments give the same operations, so servers
    that get them can be compared.
    """
    shapes = drawable(workload, values)
    if not shapes:
        return ()
    generator = random.Random(seed)  # noqa: S311  not a secret
    weights = [shape.count for shape in shapes]
    return tuple(
        _with_values(shape, {name: generator.choice(values[name]) for name in shape.sources})
        for shape in generator.choices(shapes, weights, k=count)
    )


def drawable(workload: Workload, values: Mapping[str, Sequence[str]]) -> tuple[OperationShape, ...]:
    """Return the shapes that have values for all of their sources."""
    return tuple(
        shape for shape in workload.shapes if all(values.get(name) for name in shape.sources)
    )


def by_hand(operation: DrawnOperation, uri: str, account: str = "") -> str:
    """Return the command line that repeats it: ldapsearch(1) or ldapcompare(1).

    With an account, a DN, it asks for the password.
    """
    shape = operation.shape
    bind = ["-x", *(["-D", account, "-W"] if account else []), "-H", uri]
    if shape.operation == "compare":
        assertion = f"{shape.attribute}:{operation.value}"
        return shlex.join(["ldapcompare", *bind, operation.base, assertion])
    scope = "children" if shape.scope == "subordinate" else shape.scope
    places = {"searching": "search", "finding": "find"}
    words = ["ldapsearch", *bind, "-b", operation.base, "-s", scope]
    if shape.deref != "never":
        words += ["-a", places.get(shape.deref, shape.deref)]
    return shlex.join([*words, operation.filter, *shape.attributes])


def _with_values(shape: OperationShape, values: Mapping[str, str]) -> DrawnOperation:
    def plain(template: str) -> str:
        return PLACEHOLDER.sub(lambda found: values[found[1]], template)

    return DrawnOperation(
        shape=shape,
        base=plain(shape.base),
        filter=filled(shape.filter, values),
        value=plain(shape.value),
    )
