"""What the guard remembers of a cluster from one decision to the next; the agent keeps it.

Times are seconds on a clock that only goes forward, never of the day: clock steps decide nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct, field

from ldaphealth.clocks import BootSeconds
from ldaphealth.model import OverrideAction

Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class RoundPeriod(Struct, frozen=True):
    """When one look at a server began and ended."""

    began: BootSeconds
    ended: BootSeconds


class ServerMemory(Struct, frozen=True, kw_only=True):
    """One server: whether it is in, since when, and what its latest rounds said.

    `good` and `bad` count the latest rounds in a row without and with blame. `fell` are the times
    when it went out lately; `returned`: it came back from out at `since`. `began` is when its
    latest round did, `answered` when one last ended with an LDAP service (0: never), and
    `silent_since` the end of the first of the latest rounds in a row without one.

    `share` of its weight is what it is believed to be worth. `leaning` counts the latest rounds in
    a row that all said more, or all less; `leaning_to` is the nearest to `share` that they said.
    """

    in_service: bool
    since: BootSeconds
    good: int = 0
    bad: int = 0
    fell: tuple[BootSeconds, ...] = ()
    returned: bool = False
    began: BootSeconds = 0.0
    answered: BootSeconds = 0.0
    silent_since: BootSeconds | None = None
    share: Share = 1.0
    leaning: int = 0
    leaning_to: Share = 1.0


class Override(Struct, frozen=True):
    """An operator's word on one server; it wins until it expires."""

    action: OverrideAction = field(name="will")
    until: BootSeconds
    reason: str = ""


class Memory(Struct, frozen=True):
    """All that is remembered of one cluster, by server ID."""

    servers: Mapping[str, ServerMemory] = {}
    overrides: Mapping[str, Override] = {}
