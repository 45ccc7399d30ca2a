"""What happens to the cluster and its balancer, and what must come of it.

`tests/e2e/test_keepalived.py` says which of them a way of checking has to pass, in order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.e2e.stage import LDAPHEALTH, TCP_CHECK, Out, Stage

REMOVED, DRAINED = "removed", "weight 0"
HOUR_SECONDS = 3600

Deed = Callable[[Stage], None]


def _nothing(_stage: Stage) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done, in order: prepare, strike, wait until out, meanwhile, watch, cure.

    `out` says what must come of `strike`. Clients are watched until every check has had its turn
    `rounds` times. Through the virtual server of ldaphealth a connection is `held` to a server.
    """

    name: str
    out: Out
    strike: Deed
    cure: Deed = _nothing
    prepare: Deed = _nothing
    meanwhile: Deed = _nothing
    rounds: int = 0
    held: str = ""

    @property
    def servers(self) -> tuple[str, ...]:
        """Return the servers that it is about."""
        return tuple(dict.fromkeys(server for servers in self.out.values() for server in servers))


def _seen_by_both(server: str) -> Out:
    return {LDAPHEALTH: {server: REMOVED}, TCP_CHECK: {server: REMOVED}}


def _seen_by_ldaphealth(server: str, how: str = REMOVED) -> Out:
    return {LDAPHEALTH: {server: how}, TCP_CHECK: {}}


ONE_OUT_ONE_DRAINED: Out = {
    LDAPHEALTH: {"ldap4": REMOVED, "ldap1": DRAINED},
    TCP_CHECK: {},
}


def _one_out_one_drained(stage: Stage) -> None:
    stage.drain("ldap1")
    stage.node("ldap4").freeze()
    stage.wait_until_out(ONE_OUT_ONE_DRAINED)


def _nobody_out(stage: Stage) -> None:
    stage.node("ldap4").heal()
    stage.undrain("ldap1")


def _back_to_the_right_time(stage: Stage) -> None:
    stage.step_clock(HOUR_SECONDS)
    stage.assert_time_went_evenly()
    stage.undrain("ldap2")


# Each removal within ten minutes doubles the time that a server stays out, so all have their turn;
# ldap1 is where the writes go, and is only drained.
FAULTS = (
    Fault(
        "crash",
        _seen_by_both("ldap2"),
        strike=lambda stage: stage.node("ldap2").kill(),
        cure=lambda stage: stage.node("ldap2").heal(),
    ),
    Fault(
        "freeze",
        _seen_by_ldaphealth("ldap3"),
        strike=lambda stage: stage.node("ldap3").freeze(),
        cure=lambda stage: stage.node("ldap3").heal(),
    ),
    Fault(
        "cut",
        _seen_by_ldaphealth("ldap4"),
        strike=lambda stage: stage.node("ldap4").cut_replication(),
        cure=lambda stage: stage.node("ldap4").heal(),
    ),
    Fault(
        "drain",
        _seen_by_ldaphealth("ldap1", DRAINED),
        strike=lambda stage: stage.drain("ldap1"),
        cure=lambda stage: stage.undrain("ldap1"),
        held="ldap1",
    ),
    # The agent hangs; then a server crashes, too, and while it is away the agent goes on.
    Fault("agent stops", {LDAPHEALTH: {}, TCP_CHECK: {}}, strike=Stage.stop_daemons, rounds=1),
    Fault(
        "agent hangs",
        _seen_by_both("ldap3"),
        strike=lambda stage: stage.node("ldap3").kill(),
        meanwhile=Stage.continue_daemons,
        cure=lambda stage: stage.node("ldap3").heal(),
        rounds=1,
    ),
    Fault(
        "reload",
        ONE_OUT_ONE_DRAINED,
        prepare=_one_out_one_drained,
        strike=Stage.reload_keepalived,
        cure=_nobody_out,
        rounds=1,
        held="ldap1",
    ),
    Fault(
        "no agent",
        _seen_by_both("ldap2"),
        prepare=Stage.kill_daemons,
        strike=lambda stage: stage.node("ldap2").kill(),
        cure=lambda stage: stage.node("ldap2").heal(),
    ),
    # Nothing comes of it; the last of a run, because slapd's own timers are less patient.
    Fault(
        "clock steps",
        {LDAPHEALTH: {}, TCP_CHECK: {}},
        prepare=lambda stage: stage.force_in("ldap2"),
        strike=lambda stage: stage.step_clock(HOUR_SECONDS),
        meanwhile=lambda stage: stage.step_clock(-2 * HOUR_SECONDS),
        cure=_back_to_the_right_time,
    ),
)
