"""The OpenLDAP dialect of replication state: contextCSN, one CSN per server ID.

The replication check reads the attribute named here; behind.py compares the vectors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType

from ldaphealth.csn.value import CSN, CSNError, parse

ATTRIBUTE = "contextCSN"

# Each of the 4096 possible server IDs would fill a session's bytes, and a judge's time. Of IDs that
# ever wrote in one naming context even large clusters have a few dozen.
MOST_SERVER_IDS = 128

Vector = Mapping[int, CSN]


def parse_vector(values: Iterable[str]) -> Vector:
    """Read the values of the attribute; of two with one server ID the newer counts.

    CSNError for a value that is no CSN, and for more than MOST_SERVER_IDS values.
    """
    given = tuple(values)
    if len(given) > MOST_SERVER_IDS:
        raise CSNError(f"more than {MOST_SERVER_IDS} values of {ATTRIBUTE}: too many to be judged")
    return _parse_vector(given)


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
