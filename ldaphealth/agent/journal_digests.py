"""Digests of verdicts: what the journal keeps of each, so that a replay can compare all. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from zlib import crc32

import msgspec

from ldaphealth.model import Verdict

# `lasted_seconds` is new in each decision, and follows from the others.
_NEW = attrgetter(*(each for each in Verdict.__struct_fields__ if each != "lasted_seconds"))


class Digests:
    """The verdicts of one cluster at its latest decision."""

    def __init__(self, verdicts: Mapping[str, Verdict]) -> None:
        self._before = {server: _NEW(each) for server, each in verdicts.items()}
        self._encoder = msgspec.msgpack.Encoder()

    def changed(self, verdicts: Mapping[str, Verdict]) -> dict[str, int]:
        """Return the digest of each verdict with something new since the latest decision."""
        digests: dict[str, int] = {}
        after: dict[str, tuple[object, ...]] = {}
        for server, each in verdicts.items():
            new = after[server] = _NEW(each)
            if new != self._before.get(server):
                digests[server] = crc32(self._encoder.encode(each))
        self._before = after
        return digests
