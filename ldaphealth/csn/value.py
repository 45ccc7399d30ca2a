"""Change sequence numbers (CSN) of OpenLDAP: parse, compare, format."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from msgspec import Struct

MAX_SHOWN = 80
# `[0-9]` and re.ASCII, because \d and int() also accept digits of other scripts.
_FORM = re.compile(
    r"([0-9]{14})(?:\.([0-9]{6}))?Z#([0-9a-fA-F]{6})#([0-9a-fA-F]{2,3})#([0-9a-fA-F]{6})",
    re.ASCII,
)
_WITHIN = re.compile(rf"(?<![0-9a-zA-Z]){_FORM.pattern}(?![0-9a-zA-Z])", re.ASCII)


class CSNError(ValueError):
    """A value that is not a CSN; the message quotes it."""


class CSN(Struct, frozen=True, order=True, gc=False):
    """One position; CSNs are ordered by their fields, as their text forms are.

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
    """Parse a CSN; CSNError if it is not one.

    Old servers write a server ID of two digits, or no fraction of a second.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise _csn_error(text)
    return _from_parts(match)


def find_all(text: str) -> list[CSN]:
    """Return the CSNs within a text, such as a line of LDIF, a sync cookie or a line of a log.

    CSNError if there is none, or one with a date that does not exist.
    """
    found = [_from_parts(match) for match in _WITHIN.finditer(text)]
    if not found:
        raise _csn_error(text)
    return found


def _from_parts(match: re.Match[str]) -> CSN:
    stamp, fraction, count, sid, mod = match.groups()
    date = (int(stamp[:4]), int(stamp[4:6]), int(stamp[6:8]))
    clock = (int(stamp[8:10]), int(stamp[10:12]), int(stamp[12:14]), int(fraction or 0))
    try:
        time = datetime(*date, *clock, tzinfo=UTC)
    except ValueError as error:  # the 30th of February
        raise _csn_error(match.group()) from error
    return CSN(time, int(count, 16), int(sid, 16), int(mod, 16))


def _csn_error(text: str) -> CSNError:
    shown = ascii(text[:MAX_SHOWN] + ("…" if len(text) > MAX_SHOWN else ""))
    return CSNError(f"{shown} is not a CSN, such as {EXAMPLE}")


EXAMPLE = "20261123101500.123456Z#000000#001#000000"
