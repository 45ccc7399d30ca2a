"""A change sequence number as OpenLDAP writes it: parse, order, print.

The positions of the OpenLDAP dialect; vector.py collects them. Nothing here knows servers.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from msgspec import Struct

MAX_SHOWN = 80
# `[0-9]` and re.ASCII on purpose: \d and int() take digits of other scripts.
_FORM = re.compile(
    r"([0-9]{14})(?:\.([0-9]{6}))?Z#([0-9a-fA-F]{6})#([0-9a-fA-F]{2,3})#([0-9a-fA-F]{6})",
    re.ASCII,
)


class CSNError(ValueError):
    """A value that is no CSN; the message quotes it."""


class CSN(Struct, frozen=True, order=True):
    """One position: the order of the fields is the order of CSNs, as of their printed forms.

    `time` is in UTC, to the microsecond; `sid` is the server ID, at most 0xfff.
    https://www.openldap.org/faq/data/cache/1145.html, lutil_csnstr in OpenLDAP's csn.c
    """

    time: datetime
    count: int
    sid: int
    mod: int

    def __str__(self) -> str:
        when = self.time
        date = f"{when.year:04}{when.month:02}{when.day:02}"
        clock = f"{when.hour:02}{when.minute:02}{when.second:02}.{when.microsecond:06}"
        return f"{date}{clock}Z#{self.count:06x}#{self.sid:03x}#{self.mod:06x}"


def parse(text: str) -> CSN:
    """Read a CSN; a server ID of two digits or a missing fraction is that of an old server.

    CSNError for anything else.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise _no_csn(text)
    stamp, fraction, count, sid, mod = match.groups()
    date = (int(stamp[:4]), int(stamp[4:6]), int(stamp[6:8]))
    clock = (int(stamp[8:10]), int(stamp[10:12]), int(stamp[12:14]), int(fraction or 0))
    try:
        time = datetime(*date, *clock, tzinfo=UTC)
    except ValueError as error:  # the 30th of February
        raise _no_csn(text) from error
    return CSN(time, int(count, 16), int(sid, 16), int(mod, 16))


def _no_csn(text: str) -> CSNError:
    shown = ascii(text[:MAX_SHOWN] + ("…" if len(text) > MAX_SHOWN else ""))
    return CSNError(f"{shown} is no CSN; one looks like {EXAMPLE}")


EXAMPLE = "20261123101500.123456Z#000000#001#000000"
