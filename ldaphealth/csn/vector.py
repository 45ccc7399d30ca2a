"""Vectors: the values of contextCSN in OpenLDAP, one CSN per server ID.

The replication check reads the attribute; behind.py compares the vectors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType

from ldaphealth.csn.value import CSN, CSNError, parse

ATTRIBUTE = "contextCSN"

# All 4096 possible server IDs would exceed the byte budget of a session. In a naming context of a
# large cluster, a few dozen have ever written.
MOST_SERVER_IDS = 128

Vector = Mapping[int, CSN]


def parse_vector(values: Iterable[str]) -> Vector:
    """Parse the values of the attribute; of two with the same server ID the newer one counts.

    CSNError for a value that is not a CSN, and for more than MOST_SERVER_IDS values.
    """
    texts = values if type(values) is tuple else tuple(values)
    if len(texts) > MOST_SERVER_IDS:
        raise CSNError(f"more than {MOST_SERVER_IDS} values of {ATTRIBUTE}, which are not judged")
    return _parse_vector(texts)


@lru_cache(maxsize=2048)  # the same values come again in every round; each takes 1.4 KiB
def _parse_vector(values: tuple[str, ...]) -> Vector:
    newest: dict[int, CSN] = {}
    for csn in map(parse, values):
        if csn.sid not in newest or newest[csn.sid] < csn:
            newest[csn.sid] = csn
    return MappingProxyType(newest)


def lacks(own: Vector, other: Vector, retired: Iterable[int] = ()) -> frozenset[int]:
    """Return the server IDs whose position in `own` is missing, or older than in `other`."""
    return frozenset(
        sid
        for sid, position in other.items()
        if sid not in retired and (sid not in own or own[sid] < position)
    )
