"""The memory of the guard from one decision to the next. The agent keeps it.

Times are seconds on a clock that only goes forward, so changes of the time of day have no effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct, field

from ldaphealth.clocks import BootSeconds, EpochSeconds
from ldaphealth.model import OverrideAction, OverrideNote

Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class RoundPeriod(Struct, frozen=True, kw_only=True):
    """When one round of a server began and ended.

    A round has more than one probe if a failure is confirmed: `last_began` is the beginning of the
    last one, and `silent_since` that of its silence, also where answers came before; None: it began
    with the round. `answered` is when the server last answered in it; None: at its end.
    `lost_at` is when the latest of its probes without LDAP service began, if the last probe had it
    again.
    """

    began: BootSeconds
    ended: BootSeconds
    last_began: BootSeconds | None = None
    silent_since: BootSeconds | None = None
    answered: BootSeconds | None = None
    lost_at: BootSeconds | None = None


class ServerMemory(Struct, frozen=True, kw_only=True):
    """One server: whether it is in service, since when, and the results of its latest rounds.

    `good` and `bad` count the latest rounds in a row without and with a failure of the server;
    `bad_since` is the beginning of the first of these rounds with one, and `blamed` counts those of
    them that are known to be its own: without a silence of which no other server showed that.
    `fell` are the recent times when it went out of service. `returned`: it returned to service at
    `since`. `by_operator`: it went out by an override. `began` is the beginning of its latest
    probe. `answered` is its latest answer in a round with LDAP service, 0 if none; `answers` has
    that and a few before it. `silent_since` is the beginning of the first of the latest probes in a
    row without LDAP service, and `contradicted_at` when another server was first known to answer
    after that. `unanswered_since`: the latest round had LDAP service, and since then no answer
    until its end. `lost_at` is when its latest probe without LDAP service began after which another
    one of the same round had it again. `failing` names the checks that took it out, or are about
    to.

    `share` is the accepted share of its weight. `leaning` counts the latest rounds in a row that
    all call for a larger share, or all for a smaller one. `leaning_to` is the one of these shares
    that is nearest to `share`.
    """

    in_service: bool
    since: BootSeconds
    good: int = 0
    bad: int = 0
    bad_since: BootSeconds | None = None
    blamed: int = 0
    fell: tuple[BootSeconds, ...] = ()
    returned: bool = False
    by_operator: bool = False
    began: BootSeconds = 0.0
    answered: BootSeconds = 0.0
    answers: tuple[BootSeconds, ...] = ()
    silent_since: BootSeconds | None = None
    unanswered_since: BootSeconds | None = None
    contradicted_at: BootSeconds | None = None
    lost_at: BootSeconds | None = None
    failing: tuple[str, ...] = ()
    share: Share = 1.0
    leaning: int = 0
    leaning_to: Share = 1.0


class Override(Struct, frozen=True):
    """An operator's override on one server, in force until it expires.

    `by` is the user who set it. `until_epoch` is the end by the time of day, for display only.
    """

    action: OverrideAction = field(name="will")
    until: BootSeconds
    reason: str = ""
    by: str = ""
    until_epoch: EpochSeconds | None = None

    @property
    def note(self) -> OverrideNote:
        """Return what people need to know of it."""
        return OverrideNote(
            action=self.action, by=self.by, reason=self.reason, until_epoch=self.until_epoch
        )


class Memory(Struct, frozen=True):
    """The memory of one cluster, by server ID."""

    servers: Mapping[str, ServerMemory] = {}
    overrides: Mapping[str, Override] = {}
