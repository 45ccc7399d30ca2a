"""Strategies for live states of servers that only a defective check of a third party could make."""

from __future__ import annotations

from math import inf, nan

from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.checks import bind, certificate, counters, entry_count, monitor, resources
from ldaphealth.checks.links import Facts as LinkFacts
from ldaphealth.checks.links import Link
from ldaphealth.guard.rules import RULES
from ldaphealth.live.live_server import LiveServer
from ldaphealth.model import (
    AnyObservation,
    CheckEffect,
    Finding,
    Metric,
    Observation,
    Reason,
    State,
    Verdict,
)
from ldaphealth.octaves import Octaves, octaves_of
from ldaphealth.prometheus.encoder import MOST_SERIES
from ldaphealth.prometheus.parts import ARRIVED
from ldaphealth.publishers.shadow_publication import beside
from tests.sinks.healthy import NOW, OPERATIONS
from tests.sinks.nasty import NASTY

SHORT_NASTY = [each for each in NASTY.values() if len(each) < 1000]
# Some are often the same, some are the same when they are printed.
NAMES = st.sampled_from(["a", "b", "\n", r"\n", "x" * 101, "x" * 102, *SHORT_NASTY]) | st.text(
    min_size=1, max_size=12
)
NUMBERS = (
    st.sampled_from([0.0, -0.0, inf, -inf, nan, 1e6, 999999.9])
    | st.floats()
    | st.integers().map(float)
)
COUNTS = st.integers(0, 9) | st.integers(0, 2**63)
METRIC_NAMES = st.sampled_from(["behind_seconds", "csn_gap_seconds", "silent_seconds"])
CHECKS = st.sampled_from(["replication", "consumer"])


@st.composite
def verdicts(draw: st.DrawFn) -> Verdict:
    """Draw a verdict with findings of any check."""
    metrics = st.builds(Metric, METRIC_NAMES, NUMBERS, label=NAMES)
    staff = st.builds(Metric, st.just("staff_shape_seconds"), NUMBERS, label=NAMES)
    findings = st.builds(
        Finding,
        server=st.just("s"),
        check=CHECKS | st.just("staff") | NAMES,
        state=st.sampled_from(State),
        code=NAMES,
        summary=NAMES,
        metrics=st.lists(metrics | staff, max_size=4).map(tuple),
    )
    reasons = st.builds(
        Reason,
        NAMES,
        NAMES,
        st.sampled_from(State),
        st.sampled_from(CheckEffect),
        st.booleans(),
    )
    return Verdict(
        server="s",
        state=draw(st.sampled_from(State)),
        in_service=draw(st.booleans()),
        weight=draw(st.integers(0, 253)),
        reasons=draw(st.lists(reasons, max_size=3).map(tuple)),
        held_by=draw(st.sampled_from(["", *(rule.name for rule in RULES)]) | NAMES),
        findings=draw(st.lists(findings, max_size=4).map(tuple)),
        lasted_seconds=draw(NUMBERS),
    )


def _link(name: str) -> Link:
    return Link(
        dn="", started="", name=name, connected=True, phase="Persist", connect="", contact=""
    )


OPERATION_COUNTS = st.dictionaries(st.sampled_from(OPERATIONS) | NAMES, COUNTS, max_size=4)
ENTRIES = [entry for measure in counters.MEASURES for entry in measure.entries.values()]
MANY = st.integers(0, MOST_SERIES + 9).map(lambda number: tuple(map(str, range(number))))
FACTS: dict[str, st.SearchStrategy[Struct]] = {
    "consumer": (MANY | st.lists(NAMES, max_size=4)).map(
        lambda names: LinkFacts(len(names), tuple(map(_link, names)))
    ),
    "monitor": st.builds(monitor.Facts, completed=OPERATION_COUNTS, in_flight=OPERATION_COUNTS),
    "resources": st.builds(
        resources.Facts,
        connections_ratio=st.none() | NUMBERS,
        pending_operations=st.none() | COUNTS,
        databases=st.lists(st.builds(resources.Database, NAMES, NUMBERS, NUMBERS), max_size=3).map(
            tuple
        ),
    ),
    "entry_count": st.dictionaries(NAMES, COUNTS, max_size=3).map(
        lambda entries: entry_count.Facts(entries=entries)
    ),
    "certificate": st.builds(
        certificate.Facts, st.just("verified"), expires_epoch_seconds=st.none() | NUMBERS
    ),
    "bind": st.builds(bind.Facts, expires_epoch_seconds=st.none() | NUMBERS),
    "counters": st.builds(
        counters.Facts,
        values=st.dictionaries(st.sampled_from(ENTRIES), COUNTS, max_size=5),
        version=st.just("") | NAMES,
        clock_ahead_seconds=st.none() | NUMBERS,
    ),
}


@st.composite
def observations(draw: st.DrawFn) -> dict[str, AnyObservation]:
    """Draw the newest observations, some of which are older than the newest session."""
    drawn = {check: facts for check, facts in FACTS.items() if draw(st.booleans())}
    found = {check: draw(facts) for check, facts in drawn.items()}
    return {
        check: Observation(
            server="s",
            check=check,
            started_at=draw(st.sampled_from([NOW - 1, NOW])),
            duration_seconds=0.1,
            facts=facts,
        )
        for check, facts in [("connect", None), *found.items()]
    }


def _many(times: Octaves) -> Octaves:
    """Return so many times that Go writes their number in another way."""
    return replace(times, counts={octave: count * 10**6 for octave, count in times.counts.items()})


TIMES = st.lists(st.floats(0, 1e6), max_size=9).map(octaves_of)
OPERATION_NAMES = NAMES | NAMES.map(lambda name: ARRIVED + name)


@st.composite
def knowns(draw: st.DrawFn) -> LiveServer:
    """Draw the live state of a server."""
    verdict = draw(verdicts())
    shadow = draw(st.none() | verdicts())
    return LiveServer(
        verdict=verdict,
        valid_until=draw(st.floats(NOW - 9, NOW + 9)),
        seen=draw(observations()),
        times=draw(st.dictionaries(OPERATION_NAMES, TIMES | TIMES.map(_many), max_size=3)),
        rounds=draw(st.integers(0, 2**60)),
        shadow=None if shadow is None else beside(verdict, shadow),
        shadow_changes=draw(st.integers(0, 3)),
    )
