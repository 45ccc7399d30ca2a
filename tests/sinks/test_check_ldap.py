"""The plugin's output: check_ldap's text and perfdata, judged by the options."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ldaphealth.judging.thresholds import Range, Thresholds, at_most
from ldaphealth.model import CheckEffect, Finding, Metric, Reason, Snapshot, State, Verdict
from ldaphealth.sinks.check_ldap import PluginOptions, render, stale
from tests.sinks.nasty import NASTY, TAKEN_AT, nasty_snapshot
from tests.sinks.snapshots import HEALTHY, ONE_OUT, UNKNOWN, serving, silent
from tests.sinks.test_sinks import is_plugin_output


def complete(verdict: Verdict, connect: float = 0.0019, entries: int = 1) -> Verdict:
    """Return a verdict with all steps of check_ldap: 0.0074 s with the times of `serving`."""
    metrics = (Metric("connect_seconds", connect),)
    counted = (Metric("search_entries", entries),)
    first = Finding(
        server=verdict.server,
        check="connect",
        state=State.OK,
        code="ok",
        summary="fine",
        metrics=metrics,
    )
    last = Finding(
        server=verdict.server,
        check="search",
        state=State.OK,
        code="ok",
        summary="fine",
        metrics=counted,
    )
    return replace(verdict, findings=(first, *verdict.findings, last))


ONE = Snapshot(TAKEN_AT, (complete(serving("ldap/h")),))
TWO = Snapshot(TAKEN_AT, (*ONE.verdicts, complete(serving("ldap/i"), connect=0.5)))


def first_line(snapshot: Snapshot, options: PluginOptions) -> tuple[str, list[str], int]:
    """Return the status line, the first two items of perfdata, and the exit status."""
    output = render(snapshot, options)
    text, _, perfdata = output.text.partition("\n")[0].partition(" | ")
    return text, perfdata.split(" ")[:2], output.exit_status


@pytest.mark.parametrize(
    ("seconds", "text", "time", "status"),
    [
        pytest.param(Thresholds(), "OK - 0.007", "time=0.0074s;;;0", 0, id="not judged"),
        pytest.param(at_most(1, 2), "OK - 0.007", "time=0.0074s;1;2;0", 0, id="fast"),
        pytest.param(
            at_most(0.001, 2),
            "WARNING - h: time.slow; 0.007",
            "time=0.0074s;0.001;2;0",
            1,
            id="slow",
        ),
        pytest.param(
            at_most(0.001, 0.002),
            "CRITICAL - h: time.slow; 0.007",
            "time=0.0074s;0.001;0.002;0",
            2,
            id="too slow",
        ),
        pytest.param(
            Thresholds(Range(0.5, 1)),
            "WARNING - h: time.slow; 0.007",
            "time=0.0074s;0.5:1;;0",
            1,
            id="a range",
        ),
    ],
)
def test_the_response_time_is_printed_and_judged_as_by_check_ldap(
    seconds: Thresholds, text: str, time: str, status: int
) -> None:
    status_line, perfdata, exit_status = first_line(ONE, PluginOptions(seconds))

    assert (status_line, perfdata[0]) == (f"LDAP {text} seconds response time", time)
    assert exit_status == status


def test_entries_are_printed_if_they_are_counted() -> None:
    counted = Snapshot(TAKEN_AT, (complete(serving("ldap/h"), entries=25),))
    status_line, perfdata, _ = first_line(
        counted, PluginOptions(entries=Thresholds(critical=Range(start=10)))
    )

    assert status_line == "LDAP OK - found 25 entries in 0.007 seconds"
    assert perfdata == ["time=0.0074s;;;0", "entries=25;;10:;0"]


def test_of_many_servers_the_slowest_is_the_time() -> None:
    status_line, perfdata, status = first_line(TWO, PluginOptions(at_most(0.1, 2)))

    assert status_line == "LDAP WARNING - i: time.slow; 2 of 2 in service"
    assert (perfdata[0], status) == ("time=0.5055s;0.1;2;0", 1)


def test_a_server_that_did_not_answer_has_no_time() -> None:
    status_line, perfdata, status = first_line(
        Snapshot(TAKEN_AT, (silent("ldap/h"),)), PluginOptions(at_most(1, 2))
    )

    assert status_line.startswith(
        "LDAP CRITICAL - h out: bind.timeout; no answer to the bind within 5 s"
    )
    assert (len(status_line), perfdata[0], status) == (79, "'h", 2)


def test_a_name_that_does_not_resolve_is_critical() -> None:
    output = render(UNKNOWN, PluginOptions())

    assert output.exit_status == 2
    assert output.text.startswith(
        "LDAP CRITICAL - all 2: connect.resolve; the name ldap1.example.com does not ..."
    )


def test_other_local_failures_are_unknown() -> None:
    bug = Finding(
        server="c/s", check="search", state=State.UNKNOWN, code="bug", summary="invalid filter"
    )
    reasons = (Reason(bug.reason, bug.summary, State.UNKNOWN, CheckEffect.OUT, removes=False),)
    verdict = replace(serving("c/s"), state=State.UNKNOWN, findings=(bug,), reasons=reasons)

    output = render(Snapshot(TAKEN_AT, (verdict,)), PluginOptions())

    assert output.exit_status == 3
    assert output.text.startswith("LDAP UNKNOWN - s: search.bug; invalid filter")


@pytest.mark.parametrize(
    ("checks", "status"),
    [
        pytest.param({"search"}, 0, id="every server with a search is OK"),
        pytest.param({"bind"}, 2, id="a bind went wrong"),
        pytest.param({"search", "bind"}, 2, id="one of two"),
    ],
)
def test_only_the_checks_that_are_asked_for_decide(checks: set[str], status: int) -> None:
    assert render(ONE_OUT, PluginOptions(checks=frozenset(checks))).exit_status == status


def test_a_server_that_a_check_did_not_reach_is_named() -> None:
    output = render(ONE_OUT, PluginOptions(checks=frozenset({"search"})))

    assert "ldap3: not reached by the requested checks" in output.text.split("\n")


def test_a_check_without_findings_is_an_error() -> None:
    with pytest.raises(
        LookupError, match="no finding of write; there are findings of bind, search"
    ):
        render(HEALTHY, PluginOptions(checks=frozenset({"write"})))


def test_a_stale_verdict_is_unknown_even_if_it_was_good_or_bad() -> None:
    valid_seconds = {"main/ldap1": 3.0, "main/ldap2": -12.4, "main/ldap3": -9.0}
    output = render(stale(ONE_OUT, valid_seconds), PluginOptions())

    assert output.exit_status == 3
    assert output.text.startswith("LDAP UNKNOWN - ")
    assert (
        "agent.stale: the verdict of the agent expired 12 s ago and was not renewed" in output.text
    )
    assert "ldap4 UNKNOWN" in output.text  # without a validity from the agent


def test_of_a_stale_verdict_only_that_is_printed() -> None:
    drained = replace(serving("main/ldap4"), in_service=False, held_by="override", draining=True)
    snapshot = replace(ONE_OUT, verdicts=(*ONE_OUT.verdicts[:3], drained))
    output = render(stale(snapshot, {"main/ldap1": 3.0}), PluginOptions(verbose=True))

    first, *lines = output.text.splitlines()
    assert first.startswith("LDAP UNKNOWN - ldap2, ldap3, ldap4: agent.stale; 1 of 4 in service | ")
    about_others = [line for line in lines if not line.startswith("ldap1 ")]
    assert len(about_others) == 6
    assert not [line for line in about_others if "service" in line or "weight" in line]


def test_verbose_prints_findings_that_are_ok() -> None:
    assert "h bind.ok OK: bind took 0.002 s" not in render(ONE, PluginOptions()).text
    assert "h bind.ok OK: bind took 0.002 s" in render(ONE, PluginOptions(verbose=True)).text.split(
        "\n"
    )


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_any_text_of_a_server_makes_valid_plugin_output(text: str) -> None:
    snapshot = nasty_snapshot(text)
    is_plugin_output(render(snapshot, PluginOptions(at_most(1, 2))).text)
    one = replace(snapshot, verdicts=snapshot.verdicts[:1])
    text = render(one, PluginOptions(at_most(1, 2))).text.partition(" | ")[0].partition("\n")[0]

    assert len(text) < 80
    assert not set('"`<>&$|') & set(text)
