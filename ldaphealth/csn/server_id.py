"""Server IDs as slapd shows them in a CSN: three hexadecimal digits (slapd.conf(5), serverID)."""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias

from msgspec import Meta

MAX_SHOWN = 16
_FORM = re.compile(r"(?:0x)?([0-9a-f]{1,3})", re.ASCII | re.IGNORECASE)


class ServerId(int):
    """A server ID, 0 to 0xfff; a number like any other, with its own text form."""

    def __str__(self) -> str:
        return f"{int(self):03x}"


RetiredServerIds: TypeAlias = Annotated[
    tuple[ServerId, ...],
    Meta(
        description="server IDs that write no more and may be missing, in hexadecimal digits as in "
        "CSNs: `[00a]` is `serverID 10` of slapd.conf"
    ),
]


def parse_server_id(text: str) -> ServerId:
    """Return the server ID of a text in hexadecimal digits, such as `01a`; ValueError otherwise."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text[:MAX_SHOWN]!r} is not a server ID: write it as in a CSN, in one to three "
            "hexadecimal digits, 000 to fff"
        )
    return ServerId(match[1], 16)
