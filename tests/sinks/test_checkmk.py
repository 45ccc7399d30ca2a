"""checkmk gets a line a server with the status, metrics that it can read, and why."""

from __future__ import annotations

from textwrap import dedent

import pytest
from msgspec.structs import replace

from ldaphealth.model import Finding, Metric, Snapshot, State
from ldaphealth.sinks import SinkOptions
from ldaphealth.sinks.checkmk import render
from tests.sinks.snapshots import SNAPSHOTS, TAKEN_AT, serving

GOLDEN = [
    pytest.param(
        "one_out",
        """
        0 LDAP_main/ldap1 bind_seconds=0.0021;0.5;2|search_seconds=0.0034;0.5;2 \
in service, weight 100
        0 LDAP_main/ldap2 bind_seconds=0.012;0.5;2|search_seconds=0.118;0.5;2 in service, weight 100
        2 LDAP_main/ldap3 connect_seconds=0.0004 OUT of service, weight 0; bind.timeout: \
no answer to the bind within 5 s: the deadline of the whole session has passed
        0 LDAP_main/ldap4 bind_seconds=0.0021;0.5;2|search_seconds=0.0034;0.5;2 \
in service, weight 100
        """,
        id="one out",
    ),
    pytest.param(
        "drained",
        """
        0 LDAP_main/ldap1 bind_seconds=0.0021;0.5;2|search_seconds=0.0034;0.5;2 \
in service, weight 100
        1 LDAP_main/ldap2 bind_seconds=0.0021;0.5;2|search_seconds=0.0034;0.5;2 draining, \
weight 0, held by override (kept out: an operator ordered it)
        """,
        id="a drain is WARN",
    ),
    pytest.param(
        "unknown",
        """
        3 LDAP_main/ldap1 - in service, weight 100; connect.resolve: the name ldap1.example.com \
does not resolve: no answer from the DNS servers
        3 LDAP_main/ldap2 - in service, weight 100; connect.resolve: the name ldap1.example.com \
does not resolve: no answer from the DNS servers
        """,
        id="a local failure is UNKNOWN",
    ),
    pytest.param("empty", "", id="no server, no line"),
]


@pytest.mark.parametrize(("name", "expected"), GOLDEN)
def test_the_lines_read(name: str, expected: str) -> None:
    assert render(SNAPSHOTS[name], SinkOptions()).text == dedent(expected).strip("\n")


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        pytest.param(Metric("n", 1, "5", "10"), "n=1;5;10", id="upper levels"),
        pytest.param(Metric("n", 1, "2:5", "1:"), "n=1;2:5;1:", id="lower levels"),
        pytest.param(Metric("n", 1, "", "10"), "n=1;;10", id="only critical"),
        pytest.param(Metric("n", 1, "~:5", ""), "n=1;5", id="no lower end"),
        pytest.param(Metric("n", 1, "@1:5", "inf"), "n=1", id="what checkmk does not know"),
        pytest.param(Metric("n", 1e22), f"n={10**22}", id="no exponent"),
        pytest.param(Metric("n", float("nan")), "-", id="no number"),
        pytest.param(
            Metric("behind_seconds", 3, label="00a"), "behind_seconds_00a=3", id="a label"
        ),
        pytest.param(Metric("1 n|x=", 3), "m1_n_x_=3", id="a name that is none"),
    ],
)
def test_a_metric_is_one_that_checkmk_reads(metric: Metric, expected: str) -> None:
    finding = Finding(
        server="c/s",
        check="custom",
        state=State.OK,
        code="ok",
        summary="fine",
        metrics=(metric, metric),
    )
    snapshot = Snapshot(TAKEN_AT, (replace(serving("c/s"), findings=(finding,)),))

    assert render(snapshot, SinkOptions()).text == f"0 LDAP_c/s {expected} in service, weight 100"
