"""The OpenLDAP dialect of replication state: contextCSN, one CSN per server ID.

The replication check reads the attribute named here; behind.py compares the vectors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType

from ldaphealth.csn.value import CSN, parse

ATTRIBUTE = "contextCSN"

Vector = Mapping[int, CSN]


def parse_vector(values: Iterable[str]) -> Vector:
    """Read the values of the attribute; of two with one server ID the newer counts."""
    return _parse_vector(tuple(values))


@lru_cache(maxsize=4096)  # a judge meets the same values again in every round
def _parse_vector(values: tuple[str, ...]) -> Vector:
    newest: dict[int, CSN] = {}
    for csn in map(parse, values):
        if csn.sid not in newest or newest[csn.sid] < csn:
            newest[csn.sid] = csn
    return MappingProxyType(newest)


def lacks(mine: Vector, other: Vector, retired: Iterable[int] = ()) -> frozenset[int]:
    """Return the server IDs of which the other vector has a newer position, or one at all."""
    return frozenset(
        sid
        for sid, position in other.items()
        if sid not in retired and (sid not in mine or mine[sid] < position)
    )
