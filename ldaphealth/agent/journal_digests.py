"""Digests of verdicts: what the journal keeps of each, so that a replay can compare all. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from zlib import crc32

import msgspec

from ldaphealth.guard.verdicts import Verdicts
from ldaphealth.model import Verdict

# `lasted_seconds` is new in each decision, and follows from the others.
_NEW = attrgetter(*(each for each in Verdict.__struct_fields__ if each != "lasted_seconds"))


class Digests:
    """The verdicts of one cluster at its latest decision."""

    def __init__(self, verdicts: Mapping[str, Verdict]) -> None:
        self._before = {server: _NEW(each) for server, each in verdicts.items()}
        self._encoder = msgspec.msgpack.Encoder()

    def changed(self, verdicts: Verdicts) -> dict[str, int]:
        """Return the digest of each verdict with something new since the latest decision."""
        digests: dict[str, int] = {}
        for server in verdicts.renewed:
            each = verdicts[server]
            new = _NEW(each)
            if new != self._before.get(server):
                digests[server] = crc32(self._encoder.encode(each))
                self._before[server] = new
        if self._before.keys() != verdicts.as_decided.keys():  # a reload removed servers
            self._before = {key: new for key, new in self._before.items() if key in verdicts}
        return digests
