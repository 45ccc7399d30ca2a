"""Server IDs as slapd shows them in a CSN: three hexadecimal digits (slapd.conf(5), serverID)."""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias

from msgspec import Meta

MAX_SERVER_ID = 0xFFF  # three digits in a CSN
_FORM = re.compile(r"(?:0x)?([0-9a-f]{1,3})", re.ASCII | re.IGNORECASE)


class ServerId(int):
    """A server ID, 0 to 0xfff; a number like any other, with its own text form."""

    def __str__(self) -> str:
        return f"{int(self):03x}"


RetiredServerIds: TypeAlias = Annotated[
    tuple[ServerId, ...],
    Meta(
        description="server IDs that write no more and may be missing: texts are hexadecimal, "
        'as CSNs show them (`["01a"]`), numbers decimal'
    ),
]


def parse_server_id(value: str | int) -> ServerId:
    """Return the server ID of a text in hexadecimal digits, or of a number; ValueError otherwise.

    A number is decimal, as in slapd's `serverID`; a text is what a CSN shows, such as `01a`.
    """
    if isinstance(value, str):
        match = _FORM.fullmatch(value)
        if not match:
            raise ValueError(f"{value[:16]!r} is not a server ID of up to three hexadecimal digits")
        return ServerId(int(match[1], 16))
    if not 0 <= value <= MAX_SERVER_ID:
        raise ValueError(f"{value} is not a server ID, 0 to {MAX_SERVER_ID}")
    return ServerId(value)
