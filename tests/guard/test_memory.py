"""The rules that depend on memory: settle, the slow start, blind, and overrides.

A `Story` decides on rounds one after the other, as the agent does, and keeps the decisions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ldaphealth.checks import BUILT_IN
from ldaphealth.guard import Memory, Override, RoundPeriod, decide
from ldaphealth.model import Basis, CheckEffect, Finding, Role, Server, State, Trust, Verdict
from ldaphealth.settings import Cluster, ConfiguredCheck, Settle, WhenAllFail

EFFECTS = {"connect": CheckEffect.OUT, "search": CheckEffect.OUT, "latency": CheckEffect.WEIGHT}
PLAN = tuple(ConfiguredCheck(BUILT_IN[name], None, effect) for name, effect in EFFECTS.items())
SETTLE = Settle(
    fall_hard=1, fall_soft=3, rise=2, min_out_seconds=5.0, ramp_seconds=30.0, believe_seconds=15.0
)
GOOD, SOFT, HARD, OURS, WARNING = "good", "soft", "hard", "ours", "warning"
PROVEN, UNDECIDED = "proven", "undecided"  # by a check that judges many probes together
SLOW, SLOWER = "slow", "slower"  # for long: the search is well, and latency lowers the weight
UNJUDGED = "unjudged"  # connected, and the search is UNKNOWN
CUT_SHORT = "cut short"  # connected, and the session ended before the search
STATES = (GOOD, SOFT, HARD, OURS, WARNING, SLOW, SLOWER, UNJUDGED, CUT_SHORT, PROVEN, UNDECIDED)
BASES = {PROVEN: Basis.WINDOW, UNDECIDED: Basis.DOUBT}
# What one round says of the search, beside the connection: state, code, trust.
SAID = {
    GOOD: (State.OK, "ok", Trust.SOFT),
    SOFT: (State.CRITICAL, "slow", Trust.SOFT),
    PROVEN: (State.CRITICAL, "slow", Trust.SOFT),
    UNDECIDED: (State.CRITICAL, "slow", Trust.SOFT),
    HARD: (State.CRITICAL, "timeout", Trust.HARD),
    WARNING: (State.WARNING, "slow", Trust.SOFT),
    UNJUDGED: (State.UNKNOWN, "no_reference", Trust.LOCAL),
}
OTHERS_GOOD = dict.fromkeys(("s0", "s2", "s3"), GOOD)  # than s1


def findings(server: str, state: str) -> list[Finding]:
    connected = Finding(
        server=server, check="connect", state=State.OK, code="ok", summary="connected"
    )
    if state == OURS:
        return [
            Finding(
                server=server,
                check="connect",
                state=State.UNKNOWN,
                code="resolve",
                summary="",
                metrics=(),
                trust=Trust.LOCAL,
            )
        ]
    if state == CUT_SHORT:
        return [connected]
    judged, code, trust = SAID.get(state, SAID[GOOD])
    searched = Finding(
        server=server,
        check="search",
        state=judged,
        code=code,
        summary="a sentence",
        metrics=(),
        trust=trust,
        basis=BASES.get(state, Basis.ROUND),
    )
    latency = {GOOD: State.OK, SLOW: State.WARNING, SLOWER: State.CRITICAL}.get(state)
    if latency is None:
        return [connected, searched]
    return [
        connected,
        searched,
        Finding(server=server, check="latency", state=latency, code="slow", summary="a sentence"),
    ]


class Story:
    """Rounds on a cluster, each of one server or of all, with a clock of its own."""

    def __init__(self, servers: int = 4, floor: int = 1, settle: Settle = SETTLE) -> None:
        names = tuple(
            Server(cluster="c", name=f"s{n}", uri="ldap://127.0.0.1") for n in range(servers)
        )
        self.cluster = Cluster(
            name="c", servers=names, checks=PLAN, min_in_service=floor, settle=settle
        )
        self.memory = Memory()
        self.now = 1000.0
        self.seen: dict[str, list[Finding]] = {}
        self.verdicts: Mapping[str, Verdict] = {}

    def round(self, states: Mapping[str, str], after: float = 1.0) -> Story:
        """Add one round of each of these servers, and decide once on all."""
        self.now += after
        rounds = {f"c/{name}": self.period(state) for name, state in states.items()}
        for name, state in states.items():
            self.seen[f"c/{name}"] = findings(f"c/{name}", state)
        return self.decide(rounds)

    def period(self, state: str) -> RoundPeriod:
        """Return when a round was that ends now; a failure is confirmed after others answered."""
        if state == HARD:
            return RoundPeriod(began=self.now - 0.3, ended=self.now, last_began=self.now - 0.1)
        return RoundPeriod(began=self.now - 0.3, ended=self.now - 0.2)

    def all(self, state: str, after: float = 1.0) -> Story:
        """Add one round of every server, all alike."""
        return self.round({each.name: state for each in self.cluster.servers}, after)

    def decide(self, rounds: Mapping[str, RoundPeriod] = {}) -> Story:
        """Decide on what was seen."""
        every = [finding for found in self.seen.values() for finding in found]
        decision = decide(self.cluster, every, self.memory, self.now, rounds)
        self.memory = decision.memory
        self.verdicts = {verdict.server: verdict for verdict in decision.verdicts}
        return self

    def say(self, name: str, will: str, seconds: float) -> Story:
        """Set an override."""
        override = Override(will, self.now + seconds, "because")  # type: ignore[arg-type]
        overrides = dict(self.memory.overrides) | {f"c/{name}": override}
        self.memory = replace(self.memory, overrides=overrides)
        return self.decide()

    def of(self, name: str) -> str:
        """Return `in` or `out`, with the rule that holds it there."""
        verdict = self.verdicts[f"c/{name}"]
        side = "in" if verdict.in_service else "out"
        return f"{side} by {verdict.held_by}" if verdict.held_by else side

    def weight(self, name: str) -> int:
        """Return the weight that was decided."""
        return self.verdicts[f"c/{name}"].weight


def test_a_server_without_service_goes_out_in_the_round_that_shows_it() -> None:
    story = Story().all(GOOD).round({"s0": GOOD, "s1": HARD})

    assert (story.of("s1"), story.of("s0")) == ("out", "in")


def test_a_broken_expectation_must_last_three_rounds() -> None:
    story = Story().all(GOOD)

    seen = [story.round(OTHERS_GOOD | {"s1": SOFT}).of("s1") for _ in range(4)]

    assert seen == ["in by settle", "in by settle", "out", "out"]


def test_a_soft_failure_waits_until_the_others_were_probed_since_it_began() -> None:
    story = Story().all(GOOD)

    seen = [story.round({"s1": SOFT}).of("s1") for _ in range(4)]

    assert seen == ["in by settle", "in by settle", "in by blind", "in by blind"]
    assert story.round(dict.fromkeys(("s0", "s2"), GOOD)).of("s1") == "in by blind"
    assert story.round({"s3": GOOD}).of("s1") == "out"


def test_what_begins_at_one_server_first_removes_none() -> None:
    story = Story().all(GOOD)
    for _ in range(3):
        story.round({"s1": SOFT})

    for server in ("s0", "s2", "s3"):
        story.round({server: SOFT})
        assert all(each.in_service for each in story.verdicts.values())
    assert story.of("s1") == "in by blind"


def test_a_soft_failure_does_not_wait_for_servers_without_service_nor_for_long() -> None:
    story = Story().all(GOOD).round({"s0": HARD, "s2": GOOD, "s3": GOOD}).round({"s0": HARD})
    for _ in range(3):
        story.round({"s1": SOFT, "s2": GOOD, "s3": GOOD})
    assert story.of("s1") == "out"

    story = Story().all(GOOD)
    for _ in range(3):
        story.round({"s1": SOFT})
    assert story.of("s1") == "in by blind"
    assert story.round({"s1": SOFT}, SETTLE.believe_seconds).of("s1") == "out"


def test_a_round_that_ran_into_its_deadline_shows_no_answer_at_its_end() -> None:
    """All servers freeze, the last one in the middle of a round, which ends as too slow."""
    story = Story().all(GOOD)
    frozen = story.now + 1.0
    story.now += 6.0
    for name in ("s0", "s1", "s2"):
        story.seen[f"c/{name}"] = findings(f"c/{name}", HARD)
    story.seen["c/s3"] = findings("c/s3", SOFT)
    silent = RoundPeriod(began=frozen + 0.5, ended=story.now, last_began=frozen + 3.0)
    story.decide(dict.fromkeys(("c/s0", "c/s1", "c/s2"), silent))
    story.decide({"c/s3": RoundPeriod(began=frozen - 0.1, ended=story.now, answered=frozen)})

    story.all(HARD, after=5.0)

    assert all(each.in_service for each in story.verdicts.values())


@pytest.mark.parametrize(("others_answered", "expected"), [(True, "out"), (False, "in by blind")])
def test_a_silence_that_began_in_the_middle_of_a_round_has_been_probed_once(
    *, others_answered: bool, expected: str
) -> None:
    story = Story().all(GOOD)
    frozen = story.now + 0.1
    story.now += 5.0
    story.seen["c/s1"] = findings("c/s1", SOFT)
    late = RoundPeriod(began=frozen - 0.1, ended=story.now, silent_since=frozen, answered=frozen)
    answered = dict.fromkeys(("c/s0", "c/s2"), RoundPeriod(began=frozen + 2.0, ended=frozen + 2.1))
    story.decide({"c/s1": late} | (answered if others_answered else {}))

    story.now += 5.5
    story.seen["c/s1"] = findings("c/s1", HARD)
    story.decide({"c/s1": RoundPeriod(began=story.now - 5.0, ended=story.now)})

    assert story.of("s1") == expected


@pytest.mark.parametrize(
    ("losing", "expected"), [((), "out"), (("s0",), "out"), (("s0", "s2"), "in by blind")]
)
def test_a_silence_has_to_last_where_most_others_lose_connections(
    losing: Sequence[str], expected: str
) -> None:
    story = Story().all(GOOD)
    for name in losing:
        story.now += 1.0
        story.seen[f"c/{name}"] = findings(f"c/{name}", GOOD)
        story.decide(
            {
                f"c/{name}": RoundPeriod(
                    began=story.now - 0.5, ended=story.now, lost_at=story.now - 0.5
                )
            }
        )

    story.round({"s1": HARD, "s0": GOOD, "s2": GOOD, "s3": GOOD})
    assert story.of("s1") == expected

    story.round({"s1": HARD} | OTHERS_GOOD, SETTLE.believe_seconds)
    assert story.of("s1") == "out"


def test_an_outage_of_the_network_is_no_loss_of_connections() -> None:
    """The round in which a server answers again ends well, but the rounds before did not."""
    story = Story().all(GOOD).all(HARD)
    back = RoundPeriod(began=story.now + 0.5, ended=story.now + 1.0, lost_at=story.now + 0.5)
    story.now += 1.0
    for name in OTHERS_GOOD:
        story.seen[f"c/{name}"] = findings(f"c/{name}", GOOD)
    story.decide(dict.fromkeys((f"c/{name}" for name in OTHERS_GOOD), back))

    assert story.round({"s1": HARD} | OTHERS_GOOD).of("s1") == "out"


@pytest.mark.parametrize("silent_rounds", [1, 2, 8])
def test_the_first_late_answer_after_a_lost_network_removes_none(silent_rounds: int) -> None:
    story = Story().all(GOOD)
    for _ in range(silent_rounds):
        story.all(HARD)

    story.round({"s0": GOOD}).round({"s1": SOFT, "s2": SOFT, "s3": GOOD})

    assert all(each.in_service for each in story.verdicts.values())


def test_one_good_round_between_starts_the_count_anew() -> None:
    story = Story().all(GOOD)

    seen = [story.round({"s1": state}).of("s1") for state in (SOFT, SOFT, GOOD, SOFT, SOFT)]

    assert "out" not in seen


def test_it_comes_back_after_two_good_rounds_and_the_least_time() -> None:
    story = Story().all(GOOD).round({"s0": GOOD, "s1": HARD})

    seen = [story.round({"s1": GOOD}, after=2.0).of("s1") for _ in range(3)]

    assert seen == ["out by settle", "out by settle", "in"]


@pytest.mark.parametrize(
    ("rounds", "expected"),
    [
        ([UNJUDGED] * 20, "out by settle"),
        ([CUT_SHORT] * 20, "out by settle"),
        ([GOOD, UNJUDGED, GOOD], "out by settle"),
        ([UNJUDGED, GOOD, GOOD], "in"),
        ([UNJUDGED, WARNING, WARNING], "in"),
    ],
)
def test_a_round_that_cannot_judge_why_a_server_is_out_is_no_good_round(
    rounds: Sequence[str], expected: str
) -> None:
    story = Story().all(GOOD)
    for _ in range(3):
        story.round(OTHERS_GOOD | {"s1": SOFT})
    for state in rounds:
        story.round({"s1": state}, after=10.0)

    assert story.of("s1") == expected


@pytest.mark.parametrize(
    ("meanwhile", "expected"),
    [
        pytest.param(OURS, "out by settle", id="what it had not judged well again still counts"),
        pytest.param(GOOD, "in", id="what it had judged well again does not"),
    ],
)
def test_a_server_that_then_fails_for_another_reason(meanwhile: str, expected: str) -> None:
    story = Story().all(GOOD)
    for _ in range(3):
        story.round(OTHERS_GOOD | {"s1": SOFT})
    refused = replace(findings("c/s1", GOOD)[0], state=State.CRITICAL, code="slow")
    searched = findings("c/s1", meanwhile)[1:]
    story.now += 1.0
    story.seen["c/s1"] = [refused, *searched]
    story.decide({"c/s1": story.period(SOFT)})
    for _ in range(2):
        story.round({"s1": UNJUDGED}, after=10.0)

    assert story.of("s1") == expected


def test_a_failed_connection_that_is_well_again_does_not_wait_for_the_search() -> None:
    story = Story().all(GOOD)
    refused = replace(findings("c/s1", OURS)[0], state=State.CRITICAL, trust=Trust.HARD)
    story.round({"s0": GOOD})
    story.seen["c/s1"] = [refused]
    story.decide({"c/s1": story.period(HARD)})
    assert not story.verdicts["c/s1"].in_service

    for _ in range(2):
        story.round({"s1": UNJUDGED}, after=10.0)

    assert story.of("s1") == "in"


@pytest.mark.parametrize(
    "checks",
    [
        pytest.param((PLAN[0], PLAN[2]), id="removed"),
        pytest.param(
            (PLAN[0], replace(PLAN[1], effect=CheckEffect.WATCH), PLAN[2]), id="only reports"
        ),
    ],
)
def test_a_check_that_a_reload_turns_off_keeps_no_server_out(
    checks: tuple[ConfiguredCheck, ...],
) -> None:
    story = Story().all(GOOD)
    for _ in range(3):
        story.round(OTHERS_GOOD | {"s1": SOFT})
    story.cluster = replace(story.cluster, checks=checks)
    for _ in range(2):
        story.round({"s1": CUT_SHORT}, after=10.0)

    assert story.of("s1") == "in"


def test_a_check_that_is_not_run_on_a_balancer_keeps_none_out() -> None:
    story = Story().all(GOOD)
    of_one = replace(PLAN[1], check=replace(PLAN[1].check, of_one_server=True))
    story.cluster = replace(story.cluster, checks=(PLAN[0], of_one))
    for _ in range(3):
        story.round(OTHERS_GOOD | {"s1": SOFT})
    assert not story.verdicts["c/s1"].in_service
    as_balancer = replace(story.cluster.servers[1], role=Role.BALANCER)
    servers = (story.cluster.servers[0], as_balancer, *story.cluster.servers[2:])
    story.cluster = replace(story.cluster, servers=servers)
    for _ in range(2):
        story.round({"s1": CUT_SHORT}, after=10.0)

    assert story.of("s1") == "in"


def test_what_cannot_be_judged_takes_no_server_out() -> None:
    story = Story().all(GOOD)
    for state in (SOFT, SOFT, *[UNJUDGED] * 20):
        story.round({"s1": state}, after=10.0)

    assert story.of("s1") == "in"


def test_what_a_check_has_proven_by_many_probes_needs_one_round() -> None:
    story = Story().all(GOOD)

    assert story.round({"s1": PROVEN}).of("s1") == "out"


def test_what_too_few_probes_show_changes_no_verdict() -> None:
    story = Story().all(GOOD)
    assert [story.round({"s1": UNDECIDED}).of("s1") for _ in range(5)] == ["in by settle"] * 5
    assert story.round({"s1": SOFT}).of("s1") == "in by settle"  # those rounds did not count

    story.round({"s1": PROVEN})
    assert [story.round({"s1": UNDECIDED}, after=5.0).of("s1") for _ in range(5)] == ["out"] * 5


def test_what_all_servers_share_is_no_proof() -> None:
    story = Story().all(GOOD)

    assert story.all(PROVEN).of("s1") == "in by blind"


def test_each_flap_doubles_the_least_time_out() -> None:
    story = Story().all(GOOD)
    waited = []
    for _ in range(4):
        story.round({"s0": GOOD, "s1": HARD})
        left = story.now
        while story.round({"s0": GOOD, "s1": GOOD}).of("s1") != "in":
            pass
        waited.append(story.now - left)

    assert waited == [5.0, 10.0, 20.0, 40.0]


def test_flaps_are_forgotten_after_their_window() -> None:
    story = Story().all(GOOD)
    for _ in range(3):
        story.round({"s0": GOOD, "s1": HARD})
        story.round({"s1": GOOD}).round({"s1": GOOD}, after=100.0)
    story.round({"s0": GOOD, "s1": HARD}, after=700.0)

    assert [story.round({"s1": GOOD}, after=3.0).of("s1") for _ in range(2)][-1] == "in"


def test_the_weight_grows_after_a_return_and_not_at_the_start() -> None:
    story = Story().all(GOOD)
    assert story.weight("s1") == 100
    story.round({"s0": GOOD, "s1": HARD})
    story.round({"s1": GOOD}, after=5.0).round({"s1": GOOD})

    seen = [
        story.weight("s1"),
        *(story.round({"s1": GOOD}, after=10.0).weight("s1") for _ in "123"),
    ]

    assert seen == [10, 33, 67, 100]


@pytest.mark.parametrize(
    ("rounds", "weights"),
    [
        pytest.param([SLOW] * 4, [100, 100, 50, 50], id="lowered in the third round"),
        pytest.param([SLOWER] * 4, [100, 100, 25, 25], id="lowered more"),
        pytest.param([SLOW, SLOWER] * 3, [100, 100, 50, 50, 50, 50], id="the mildest counts"),
        pytest.param([SLOW, SLOW, GOOD] * 2, [100] * 6, id="one good round starts anew"),
        pytest.param(
            [SLOW, SLOW, OURS, SLOW], [100] * 3 + [50], id="what tells nothing is left out"
        ),
        pytest.param([SLOW, SLOW, WARNING, SLOW], [100] * 3 + [50], id="nor is it judged"),
        pytest.param([SLOW] * 3 + [GOOD] * 2, [100, 100, 50, 50, 100], id="raised in the second"),
        pytest.param([SLOW] * 3 + [GOOD, SLOW] * 3, [100, 100] + [50] * 7, id="and not before"),
        pytest.param([SLOW] * 3 + [SLOWER] * 3, [100, 100, 50, 50, 50, 25], id="step by step"),
        pytest.param(
            [SLOW] * 3 + [OURS] * 50, [100, 100] + [50] * 51, id="UNKNOWN alone changes none"
        ),
    ],
)
def test_a_weight_changes_after_as_many_rounds_as_a_side(
    rounds: list[str], weights: list[int]
) -> None:
    story = Story().all(GOOD)

    assert [story.round({"s1": state}).weight("s1") for state in rounds] == weights
    assert story.weight("s0") == 100


def test_a_weight_that_is_held_names_its_rule() -> None:
    story = Story().all(GOOD)

    seen = [story.round({"s1": state}).of("s1") for state in (SLOW, SLOW, SLOW, GOOD, GOOD)]

    assert seen == ["in by settle", "in by settle", "in", "in by settle", "in"]


def test_the_first_round_of_all_gives_the_weight_that_it_calls_for() -> None:
    assert Story().all(SLOW).weight("s0") == 50


def test_a_server_that_is_slow_comes_back_with_the_weight_of_a_slow_one() -> None:
    story = Story().all(GOOD).round({"s0": GOOD, "s1": HARD})
    for _ in range(4):
        story.round({"s1": SLOW}, after=5.0)
    story.round({"s1": SLOW}, after=60.0)

    assert (story.of("s1"), story.weight("s1")) == ("in", 50)


def test_a_check_that_a_reload_turns_off_lowers_no_weight_any_more() -> None:
    story = Story().all(SLOW)
    story.cluster = replace(story.cluster, checks=PLAN[:2])
    for _ in range(2):
        story.all(WARNING)

    assert story.weight("s1") == 100


@pytest.mark.parametrize(
    ("when_all_fail", "expected"),
    [
        (WhenAllFail.HOLD, ["in by blind"] * 4),
        (WhenAllFail.OUT, ["in by blind", "in by blind", "in by blind", "out"]),
    ],
)
def test_when_no_server_answers_the_last_verdicts_are_held(
    when_all_fail: WhenAllFail, expected: list[str]
) -> None:
    story = Story(settle=replace(SETTLE, when_all_fail=when_all_fail)).all(GOOD)

    assert [story.all(HARD, after=5.0).of("s1") for _ in range(4)] == expected


def test_a_crash_is_accepted_once_another_server_answered_between_two_failed_probes() -> None:
    story = Story().all(GOOD)

    assert story.round({"s1": HARD}).of("s1") == "in by blind"  # all answered, but before
    assert story.round({"s2": GOOD}, after=0.2).of("s1") == "in by blind"  # and after it
    assert story.round({"s1": HARD}, after=0.4).of("s1") == "out"


def test_an_answer_during_a_long_round_counts_although_others_followed() -> None:
    story = Story().all(GOOD)
    for _ in range(4):  # meanwhile a probe of s1 is under way
        story.round({"s2": GOOD, "s3": GOOD})
    story.seen["c/s1"] = findings("c/s1", HARD)
    now = story.now
    story.decide({"c/s1": RoundPeriod(began=now - 3.5, ended=now, last_began=now - 1.0)})

    assert story.of("s1") == "out"


NO_NETWORK = ("s0", "s1", "s2", "s3")


@pytest.mark.parametrize("first", NO_NETWORK)
@pytest.mark.parametrize("lost", [1, 2, 5, 40])
def test_a_network_that_comes_back_removes_no_server(first: str, lost: int) -> None:
    """Servers fail in turn, and answer in turn, as often as the network of the agent is away."""
    story = Story().all(GOOD)
    order = [*NO_NETWORK[NO_NETWORK.index(first) :], *NO_NETWORK[: NO_NETWORK.index(first)]]
    for _ in range(3):
        for _ in range(lost):
            for name in order:
                story.round({name: HARD}, after=0.25)
        for name in order:
            story.round({name: GOOD}, after=0.25)
            assert all(verdict.in_service for verdict in story.verdicts.values())


def test_a_server_that_is_silent_for_long_goes_out_although_no_other_is_probed() -> None:
    story = Story().all(GOOD).round({"s1": HARD})

    seen = [story.round({"s1": HARD}, after=5.0).of("s1") for _ in range(3)]

    assert seen == ["in by blind", "in by blind", "out"]


def test_a_drain_that_ends_is_no_return_after_a_failure() -> None:
    story = Story().all(GOOD).say("s1", "drain", 1.0)
    story.round({"s1": GOOD}, after=0.5)
    assert story.of("s1") == "out by override"

    assert story.round({"s1": GOOD}, after=0.6).of("s1") == "in"


def test_a_server_that_failed_while_it_was_drained_returns_like_any_other() -> None:
    story = Story().all(GOOD).say("s1", "drain", 10.0)
    for _ in range(9):
        story.round({"s0": GOOD, "s1": HARD})

    seen = [story.round({"s0": GOOD, "s1": GOOD}).of("s1") for _ in range(3)]

    assert seen == ["out by settle", "in", "in"]


def test_servers_that_return_to_a_pool_at_its_floor_get_their_whole_weight() -> None:
    story = Story(floor=2).all(GOOD)
    states = {"s0": SOFT, "s1": HARD, "s2": HARD, "s3": WARNING}
    for _ in range(4):
        story.round(states)
    assert [story.of(name) for name in states] == ["in by floor", "out", "out", "in"]

    weights = []
    for _ in range(20):
        story.round(states | {"s1": GOOD, "s2": GOOD})
        weights.append(sum(story.weight(name) for name in states))

    assert min(weights) >= 200


def test_our_own_trouble_changes_nothing_for_as_long_as_it_lasts() -> None:
    story = Story().all(GOOD).round({"s0": GOOD, "s1": HARD})

    seen = {(story.all(OURS).of("s0"), story.of("s1")) for _ in range(50)}

    assert seen == {("in", "out")}


def test_an_expired_password_of_ours_seen_one_server_after_the_other_removes_nobody() -> None:
    story = Story().all(GOOD)
    for _ in range(10):
        for name in ("s0", "s1", "s2", "s3"):
            story.round({name: SOFT}, after=0.25)
            assert all(verdict.in_service for verdict in story.verdicts.values())
    for name in ("s0", "s1", "s2", "s3"):  # mended, and noticed one after the other
        story.round({name: GOOD}, after=0.25)
        assert all(verdict.in_service for verdict in story.verdicts.values())


@pytest.mark.parametrize(
    ("will", "state", "expected"),
    [
        ("drain", GOOD, "out by override"),
        ("out", GOOD, "out by override"),
        ("in", HARD, "in by override"),
    ],
)
def test_an_operators_word_wins_until_it_expires(will: str, state: str, expected: str) -> None:
    story = Story().all(GOOD).say("s1", will, 60.0)

    seen = {story.round({"s0": GOOD, "s1": state}, after=5.0).of("s1") for _ in range(11)}
    assert seen == {expected}
    for _ in range(12):
        story.round({"s0": GOOD, "s1": state}, after=5.0)
    assert story.of("s1") == ("in" if state == GOOD else "out")
    assert story.memory.overrides == {}


def test_a_drained_server_is_said_to_be_drained() -> None:
    story = Story().all(GOOD).say("s1", "drain", 60.0)

    assert story.verdicts["c/s1"].draining
    assert story.weight("s1") == 0


def test_the_floor_does_not_undo_an_operators_word() -> None:
    story = Story(servers=2, floor=2).all(GOOD).say("s0", "drain", 60.0)

    assert (story.of("s0"), story.of("s1")) == ("out by override", "in")


def test_a_restart_goes_on_where_it_was() -> None:
    story = Story().all(GOOD).round({"s0": GOOD, "s1": HARD})
    again = Story()
    again.memory, again.now = story.memory, story.now

    assert again.round({"s1": GOOD}).of("s1") == "out by settle"


ROUNDS = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(["s0", "s1", "s2", "s3"]), st.sampled_from(STATES)),
        st.floats(0.1, 20.0),
    ),
    max_size=30,
)
WORDS = st.dictionaries(
    st.sampled_from(["s0", "s1", "s2", "s3"]),
    st.tuples(st.sampled_from(["drain", "in", "out"]), st.floats(1.0, 100.0)),
)


def played(
    rounds: Sequence[tuple[Mapping[str, str], float]],
    words: Mapping[str, tuple[str, float]],
    floor: int = 2,
) -> list[Story]:
    """Return the story after each round, as one that goes on and copies of what it decided."""
    story = Story(floor=floor).all(GOOD)
    for name, (will, seconds) in words.items():
        story.say(name, will, seconds)
    steps = []
    for states, after in rounds:
        before = dict(story.verdicts), story.memory
        story.round(states, after)
        step = Story(floor=floor)
        step.verdicts, step.memory, step.now = story.verdicts, story.memory, story.now
        step.seen = dict(story.seen)
        step.before = before  # type: ignore[attr-defined]
        steps.append(step)
    return steps


def is_dead(story: Story, server: str) -> bool:
    return any(finding.trust is Trust.HARD for finding in story.seen[server])


@settings(max_examples=200, deadline=None)
@given(ROUNDS, WORDS, st.integers(0, 4))
def test_the_floor_holds_whatever_happens(
    rounds: list[tuple[Mapping[str, str], float]],
    words: Mapping[str, tuple[str, float]],
    floor: int,
) -> None:
    for story in played(rounds, words, floor):
        said = story.memory.overrides
        gone = {s for s in story.verdicts if is_dead(story, s) and s not in said}
        # What went out and cannot be seen now is not put back on a guess.
        gone |= {
            s
            for s, verdict in story.verdicts.items()
            if s not in said
            and not verdict.in_service
            and all(finding.trust is Trust.LOCAL for finding in story.seen[s])
        }
        told_out = {s for s, word in said.items() if word.action != "in"}
        least = min(floor, 4 - len(gone | told_out))
        assert sum(verdict.in_service for verdict in story.verdicts.values()) >= least


@settings(max_examples=200, deadline=None)
@given(ROUNDS, WORDS)
def test_an_operators_word_always_wins_and_always_expires(
    rounds: list[tuple[Mapping[str, str], float]], words: Mapping[str, tuple[str, float]]
) -> None:
    for story in played(rounds, words):
        for server, word in story.memory.overrides.items():
            assert word.until > story.now
            verdict = story.verdicts[server]
            assert (verdict.in_service, verdict.held_by) == (word.action == "in", "override")
        rest = set(story.verdicts) - set(story.memory.overrides)
        assert not [s for s in rest if story.verdicts[s].held_by == "override"]


@settings(max_examples=200, deadline=None)
@given(ROUNDS)
def test_a_verdict_that_differs_from_the_plain_reading_names_its_rule(
    rounds: list[tuple[Mapping[str, str], float]],
) -> None:
    for story in played(rounds, {}):
        for server, verdict in story.verdicts.items():
            found = story.seen[server]
            removing = any(
                finding.state is State.CRITICAL and EFFECTS[finding.check] is CheckEffect.OUT
                for finding in found
            )
            known = any(finding.state is not State.UNKNOWN for finding in found)
            if known and verdict.in_service == removing:
                assert verdict.held_by, (server, verdict)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from([GOOD, SLOW, SLOWER, OURS]), max_size=40),
    st.integers(1, 4),
    st.integers(1, 4),
)
def test_a_weight_follows_what_enough_rounds_in_a_row_say_and_nothing_else(
    rounds: list[str], fall_soft: int, rise: int
) -> None:
    says = {GOOD: 100, SLOW: 50, SLOWER: 25}
    story = Story(settle=replace(SETTLE, fall_soft=fall_soft, rise=rise)).all(GOOD)
    said: list[int] = [100]
    before = 100
    for state in rounds:
        weight = story.round({"s0": GOOD, "s1": state}).weight("s1")
        said += [says[state]] if state in says else []
        if weight < before:
            assert len(said) > fall_soft
            assert max(said[-fall_soft:]) <= weight
        if weight > before:
            assert min(said[-rise:]) >= weight
        if state == OURS:
            assert weight == before
        enough = 2 * max(fall_soft, rise)  # what was counted for another change may be lost
        if len(said) > enough and len({*said[-enough:]}) == 1:
            assert weight == said[-1]
        before = weight


@settings(max_examples=200, deadline=None)
@given(ROUNDS)
def test_rounds_of_which_nothing_is_known_change_no_side(
    rounds: list[tuple[Mapping[str, str], float]],
) -> None:
    for story in played(rounds, {}, floor=0)[-1:]:
        before = {server: verdict.in_service for server, verdict in story.verdicts.items()}
        for _ in range(5):
            story.all(OURS, after=10.0)
            after = {server: verdict.in_service for server, verdict in story.verdicts.items()}
            assert after == before


@settings(max_examples=100, deadline=None)
@given(ROUNDS, WORDS)
def test_the_same_story_gives_the_same_verdicts(
    rounds: list[tuple[Mapping[str, str], float]], words: Mapping[str, tuple[str, float]]
) -> None:
    one, other = played(rounds, words), played(rounds, words)

    assert [story.verdicts for story in one] == [story.verdicts for story in other]


@settings(max_examples=100, deadline=None)
@given(ROUNDS)
def test_deciding_again_without_news_changes_no_side(
    rounds: list[tuple[Mapping[str, str], float]],
) -> None:
    for story in played(rounds, {})[-1:]:
        before = {server: verdict.in_service for server, verdict in story.verdicts.items()}
        weights = {server: verdict.weight for server, verdict in story.verdicts.items()}
        story.decide()
        assert {server: v.in_service for server, v in story.verdicts.items()} == before
        assert {server: v.weight for server, v in story.verdicts.items()} == weights


def test_an_expired_password_at_the_start_removes_nobody() -> None:
    story = Story(floor=2)
    for name in ("s0", "s1", "s2", "s3"):
        story.round({name: SOFT})
        assert all(each.in_service for each in story.verdicts.values()), name


def test_one_broken_server_at_the_start_goes_out_once_all_were_seen() -> None:
    story = Story(floor=2).round({"s0": SOFT}).round({"s1": GOOD, "s2": GOOD, "s3": GOOD})
    for _ in range(3):
        story.round(OTHERS_GOOD | {"s0": SOFT, "s1": GOOD})
    assert not story.verdicts["c/s0"].in_service


def test_a_name_that_does_not_resolve_leaves_the_excuse_of_the_others() -> None:
    story = Story().round(dict.fromkeys(("s0", "s1", "s2", "s3"), GOOD))
    for _ in range(4):
        story.round({"s0": OURS, "s1": SOFT, "s2": SOFT, "s3": SOFT})
    assert all(each.in_service for each in story.verdicts.values())


def test_a_drain_is_no_flap() -> None:
    story = Story().all(GOOD)
    for _ in range(4):
        story.say("s0", "drain", 10.0).all(GOOD, 11.0).all(GOOD, 20.0).all(GOOD, 20.0)
    story.round({"s0": HARD}).round({"s1": GOOD})
    story.all(GOOD, 3.0).all(GOOD, 3.0)
    assert story.verdicts["c/s0"].in_service
