"""Nagios gets the worst state, a line with the reasons, and valid perfdata."""

from __future__ import annotations

import re
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ldaphealth.model import CheckEffect, Finding, Metric, Reason, Snapshot, State, Verdict
from ldaphealth.sinks import SinkOptions
from ldaphealth.sinks.nagios import render
from ldaphealth.sinks.summary import nagios_state
from tests.sinks import snapshots
from tests.sinks.nasty import NASTY, TAKEN_AT, nasty_snapshot
from tests.sinks.snapshots import SNAPSHOTS, serving

# Performance data as the guidelines describe it: no exponent, ranges, the unit after the value.
NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
RANGE = rf"(?:@?(?:(?:~|{NUMBER}):)?(?:{NUMBER})?)"
ITEM = re.compile(
    rf"(?:'(?P<quoted>[^'=|]+)'|(?P<bare>\w+))=(?:U|{NUMBER}(?:s|B)?)(?:;{RANGE}(?:;{RANGE})?)? ?"
)


def labels(text: str) -> list[str]:
    """Return the labels of the first line's perfdata; every character of it must be perfdata."""
    perfdata = text.partition("\n")[0].partition(" | ")[2]
    items = list(ITEM.finditer(perfdata))
    assert "".join(item[0] for item in items) == perfdata
    return [item["quoted"] or item["bare"] for item in items]


def with_metrics(*metrics: Metric, server: str = "main/ldap1") -> Snapshot:
    finding = Finding(
        server=server, check="custom", state=State.OK, code="ok", summary="fine", metrics=metrics
    )
    return Snapshot(TAKEN_AT, (replace(serving(server), findings=(finding,)),))


def perfdata(metric: Metric) -> str:
    return render(with_metrics(metric), SinkOptions()).text.split("\n")[0].partition(" | ")[2]


GOLDEN = [
    pytest.param(
        "healthy",
        0,
        """
        LDAP OK - 4 of 4 in service | \
'ldap1 bind_seconds'=0.0021s;0.5;2 'ldap2 bind_seconds'=0.0021s;0.5;2 \
'ldap3 bind_seconds'=0.0021s;0.5;2 'ldap4 bind_seconds'=0.0021s;0.5;2 \
'ldap1 search_seconds'=0.0034s;0.5;2 'ldap2 search_seconds'=0.0034s;0.5;2 \
'ldap3 search_seconds'=0.0034s;0.5;2 'ldap4 search_seconds'=0.0034s;0.5;2
        ldap1 OK: in service, weight 100
        ldap2 OK: in service, weight 100
        ldap3 OK: in service, weight 100
        ldap4 OK: in service, weight 100
        """,
        id="no problem",
    ),
    pytest.param(
        "one_out",
        2,
        """
        LDAP CRITICAL - ldap3 out: bind.timeout; 3 of 4 in service | \
'ldap1 bind_seconds'=0.0021s;0.5;2 'ldap2 bind_seconds'=0.012s;0.5;2 \
'ldap4 bind_seconds'=0.0021s;0.5;2 'ldap1 search_seconds'=0.0034s;0.5;2 \
'ldap2 search_seconds'=0.118s;0.5;2 'ldap4 search_seconds'=0.0034s;0.5;2 \
'ldap3 connect_seconds'=0.0004s
        ldap3 CRITICAL: OUT of service, weight 0; bind.timeout: no answer to the bind within 5 s: \
the deadline of the whole session has passed
        ldap1 OK: in service, weight 100
        ldap2 OK: in service, weight 100
        ldap4 OK: in service, weight 100
        what to do about bind.timeout: on the server: 'systemctl status slapd', \
'ss -ltnp 'sport = :PORT'', 'journalctl -u slapd -n 100', and 'uptime' and 'df -h' for load and a \
full disk. A slapd that answers nothing is frozen: 'systemctl restart slapd'. If it is only slow, \
set a longer 'deadline_seconds' than SECONDS
        """,
        id="one out is CRITICAL",
    ),
    pytest.param(
        "held_by_floor",
        2,
        """
        LDAP CRITICAL - ldap2 out: search.noSuchObject; ldap1 hel...; 1 of 2 in service | \
'ldap1 bind_seconds'=0.0021s;0.5;2 'ldap2 bind_seconds'=0.0021s;0.5;2
        ldap1 CRITICAL: in service, weight 100, held by floor (kept in: \
too few servers would remain without it); search.noSuchObject: \
search below 'cn=test,dc=example,dc=com' was answered with noSuchObject
        ldap2 CRITICAL: OUT of service, weight 0; search.noSuchObject: \
search below 'cn=test,dc=example,dc=com' was answered with noSuchObject
        what to do about search.noSuchObject: as the account \
'ldapsearch -x -H URI -D DN -y FILE -s base -b BASE 1.1', and as an administrator, whose DN is in \
\\x24ADMIN_DN, 'ldapsearch -x -H URI -D '\\x24ADMIN_DN' -W -s base -b BASE 1.1': if only the \
latter finds it, give the account the right ('ldaphealth setup CLUSTER --part rules'); else the \
server is empty or the DN is wrong
        """,
        id="held in service is CRITICAL and names the rule",
    ),
    pytest.param(
        "unknown",
        3,
        """
        LDAP UNKNOWN - all 2: connect.resolve; the name ldap1.example.com does not r...
        2 of 2 in service
        ldap1 UNKNOWN: in service, weight 100; connect.resolve: \
the name ldap1.example.com does not resolve: no answer from the DNS servers
        ldap2 UNKNOWN: the same as ldap1
        what to do about connect.resolve: 'getent ahosts HOST'; check the name in 'uri' (URI), \
/etc/resolv.conf and the DNS server; an address in place of the name does without them
        """,
        id="a local failure is UNKNOWN",
    ),
    pytest.param(
        "drained",
        1,
        """
        LDAP WARNING - ldap2 draining; 1 of 2 in service | \
'ldap1 bind_seconds'=0.0021s;0.5;2 'ldap2 bind_seconds'=0.0021s;0.5;2 \
'ldap1 search_seconds'=0.0034s;0.5;2 'ldap2 search_seconds'=0.0034s;0.5;2
        ldap2 WARNING: draining, weight 0, held by override (kept out: an operator ordered it)
        ldap1 OK: in service, weight 100
        """,
        id="a drain is WARNING",
    ),
    pytest.param(
        "eight",
        2,
        """
        LDAP CRITICAL - ldap3, ldap6 out: bind.timeout; 6 of 8 in service | \
'ldap1 bind_seconds'=0.0021s;0.5;2 'ldap2 bind_seconds'=0.0021s;0.5;2 \
'ldap4 bind_seconds'=0.0021s;0.5;2 'ldap5 bind_seconds'=0.0021s;0.5;2 \
'ldap7 bind_seconds'=0.0021s;0.5;2 'ldap8 bind_seconds'=0.0021s;0.5;2 \
'ldap1 search_seconds'=0.0034s;0.5;2 'ldap2 search_seconds'=0.0034s;0.5;2 \
'ldap4 search_seconds'=0.0034s;0.5;2 'ldap5 search_seconds'=0.0034s;0.5;2 \
'ldap7 search_seconds'=0.0034s;0.5;2 'ldap8 search_seconds'=0.0034s;0.5;2 \
'ldap3 connect_seconds'=0.0004s 'ldap6 connect_seconds'=0.0004s
        ldap3 CRITICAL: OUT of service, weight 0; bind.timeout: no answer to the bind within 5 s: \
the deadline of the whole session has passed
        ldap6 CRITICAL: the same as ldap3
        ldap1 OK: in service, weight 100
        ldap2 OK: in service, weight 100
        ldap4 OK: in service, weight 100
        ldap5 OK: in service, weight 100
        ldap7 OK: in service, weight 100
        ldap8 OK: in service, weight 100
        what to do about bind.timeout: on the server: 'systemctl status slapd', \
'ss -ltnp 'sport = :PORT'', 'journalctl -u slapd -n 100', and 'uptime' and 'df -h' for load and a \
full disk. A slapd that answers nothing is frozen: 'systemctl restart slapd'. If it is only slow, \
set a longer 'deadline_seconds' than SECONDS
        """,
        id="the same problem of two servers is printed once",
    ),
    pytest.param(
        "empty",
        3,
        """
        LDAP UNKNOWN - no server was checked
        """,
        id="no server is UNKNOWN",
    ),
]


@pytest.mark.parametrize(("name", "status", "expected"), GOLDEN)
def test_the_answer_reads(name: str, status: int, expected: str) -> None:
    output = render(SNAPSHOTS[name], SinkOptions())

    assert output.text == dedent(expected).strip("\n")
    assert output.exit_status == status


IN = serving("main/ldap1")


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        pytest.param(IN, State.OK, id="in service without problems is OK"),
        pytest.param(replace(IN, state=State.WARNING), State.WARNING, id="a warning is WARNING"),
        pytest.param(
            replace(IN, state=State.CRITICAL), State.CRITICAL, id="a check that is only reported"
        ),
        pytest.param(
            replace(IN, state=State.CRITICAL, held_by="blind"), State.CRITICAL, id="held in"
        ),
        pytest.param(replace(IN, state=State.UNKNOWN), State.UNKNOWN, id="nothing is known"),
        pytest.param(
            replace(IN, in_service=False, state=State.UNKNOWN), State.CRITICAL, id="out is CRITICAL"
        ),
        pytest.param(
            replace(IN, in_service=False, held_by="override"), State.WARNING, id="held out: WARNING"
        ),
        pytest.param(
            replace(IN, in_service=False, held_by="settle", state=State.CRITICAL),
            State.CRITICAL,
            id="held out, and bad as well",
        ),
    ],
)
def test_a_verdict_has_one_state(verdict: Verdict, expected: State) -> None:
    assert nagios_state(verdict) is expected


def test_the_first_line_names_the_cause_rather_than_every_server() -> None:
    names = (f"main/ldap{n}.example" for n in range(5))
    text = render(Snapshot(TAKEN_AT, tuple(map(snapshots.silent, names))), SinkOptions()).text

    assert text.startswith(
        "LDAP CRITICAL - ldap0.example and 4 more out: bind.timeout; 0 of 5 in service |"
    )


def test_critical_outranks_unknown_although_its_number_is_smaller() -> None:
    both = Snapshot(TAKEN_AT, (*snapshots.UNKNOWN.verdicts, snapshots.silent("main/ldap9")))

    assert render(both, SinkOptions()).exit_status == 2


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        pytest.param(Metric("used_bytes", 5e9), "'ldap1 used_bytes'=5000000000B", id="bytes"),
        pytest.param(Metric("a_ratio", 0.25), "'ldap1 a_ratio'=0.25", id="no unit"),
        pytest.param(Metric("x_seconds", 1e-5), "'ldap1 x_seconds'=0.00001s", id="no exponent"),
        pytest.param(Metric("entries", 100), "'ldap1 entries'=100", id="a whole number"),
        pytest.param(Metric("entries", 1e22, "1:"), f"'ldap1 entries'={10**22};1:", id="a range"),
        pytest.param(Metric("entries", -1e-9), "'ldap1 entries'=0", id="no negative zero"),
        pytest.param(Metric("x_seconds", float("nan")), "'ldap1 x_seconds'=U", id="not a number"),
        pytest.param(Metric("n", 1, "", "@1:5"), "'ldap1 n'=1;;@1:5", id="only critical"),
        pytest.param(Metric("n", 1, "1;2 'x'=3"), "'ldap1 n'=1", id="what is no range is left out"),
        pytest.param(
            Metric("behind_seconds", 3, label="00a"), "'ldap1 00a behind_seconds'=3s", id="label"
        ),
    ],
)
def test_a_metric_becomes_perfdata(metric: Metric, expected: str) -> None:
    assert perfdata(metric) == expected


LONG = "main/directory-server-{}.berlin.example.com:10389"
USUAL = (
    *(Metric(f"{step}_seconds", 0.1, "1", "2") for step in ("connect", "bind", "search", "unbind")),
    Metric("search_entries", 1),
    *(Metric("behind_seconds", 1, "1", "2", label=f"{sid:03x}") for sid in range(1, 5)),
    *(Metric("csn_gap_seconds", 1, label=f"{sid:03x}") for sid in range(1, 5)),
)


def test_labels_differ_whatever_servers_are_called() -> None:
    verdicts = [
        with_metrics(*USUAL, server=name).verdicts[0]
        for name in (*map(LONG.format, range(4)), "main/ldap1")
    ]
    found = [
        label
        for verdict in verdicts
        for label in labels(render(Snapshot(TAKEN_AT, (verdict,)), SinkOptions()).text)
    ]

    assert len(set(found)) == len(verdicts) * len(USUAL)


def test_metrics_whose_names_begin_alike_have_unique_labels() -> None:
    alike = [Metric(f"database_pages_{what}", 1) for what in ("used", "free", "max")]
    found = labels(render(with_metrics(*alike), SinkOptions()).text)

    assert len(set(found)) == 3


def test_a_label_does_not_depend_on_what_else_was_measured() -> None:
    whole = labels(render(with_metrics(*USUAL, server=LONG.format(1)), SinkOptions()).text)
    alone = [
        labels(render(with_metrics(each, server=LONG.format(1)), SinkOptions()).text)[0]
        for each in USUAL
    ]

    assert sorted(alone) == sorted(whole)


def test_too_much_perfdata_is_cut_to_whole_items_and_the_cut_is_reported() -> None:
    many = Snapshot(
        TAKEN_AT,
        tuple(with_metrics(*USUAL, server=f"main/ldap{n}").verdicts[0] for n in range(8)),
    )
    first, note, *_ = render(many, SinkOptions()).text.split("\n")
    shown = labels(first)

    assert note == f"{8 * len(USUAL) - len(shown)} perfdata items left out: no room"
    assert sum("search_seconds" in label for label in shown) == 8
    assert sum("csn_gap" in label for label in shown) < 8 * 4


@pytest.mark.parametrize("count", [1, 4, 20, 300])
def test_the_answer_stays_below_what_nagios_reads(count: int) -> None:
    verdicts = tuple(
        replace(
            each,
            findings=(
                *each.findings,
                Finding(server="", check="x", state=State.OK, code="ok", summary="", metrics=USUAL),
            ),
        )
        for each in map(snapshots.silent, (f"main/ldap{n}.example.com" for n in range(count)))
    )
    text = render(Snapshot(TAKEN_AT, verdicts), SinkOptions()).text
    first, *rest = text.split("\n")

    assert len(text.encode()) < 4096
    assert len(first.partition(" | ")[0]) < 80
    assert first.startswith("LDAP CRITICAL - ")
    assert " out: bind.timeout; " in first
    assert f"; 0 of {count} in service" in first
    assert labels(first)
    printed = sum(line.startswith("ldap") for line in rest)
    # the last line is what to do
    assert printed == count or rest[-1] == f"... {count - printed + 1} more lines"


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
@pytest.mark.parametrize("value", [0.5, float("nan"), 1e308, -1e-300])
def test_nothing_that_a_server_says_leaves_its_place(text: str, value: float) -> None:
    output = render(nasty_snapshot(text, value), SinkOptions())
    first, *rest = output.text.split("\n")
    status_line, pipe, _ = first.partition(" | ")

    assert output.text.count("|") == pipe.count("|")
    assert not set('"`<>&$') & set(output.text)
    assert len(status_line) < 80
    assert len([each for each in rest if each != "0 of 2 in service"]) == 2
    assert labels(first)


@given(st.text(st.characters(codec=None), max_size=60))
def test_any_text_at_all_keeps_to_the_guidelines(text: str) -> None:
    output = render(nasty_snapshot(text), SinkOptions()).text
    found = labels(output)

    assert len({*found}) == len(found)
    assert output.isascii()
    assert all(line.isprintable() for line in output.split("\n"))


@pytest.mark.parametrize("count", [1, 2, 9])
@pytest.mark.parametrize("code", ["bind.timeout", "bind.invalidCredentials", "replication.behind"])
def test_the_cause_is_in_the_first_line_whatever_servers_are_called(code: str, count: int) -> None:
    name = "main/ldap-provider-{}.directory.frankfurt.example-corporation.com"
    verdicts = [
        replace(
            snapshots.silent(name.format(n)),
            reasons=(Reason(code, "why", State.CRITICAL, CheckEffect.OUT, removes=True),),
        )
        for n in range(count)
    ]
    text = render(Snapshot(TAKEN_AT, tuple(verdicts)), SinkOptions()).text
    first = text.partition(" | ")[0].partition("\n")[0]

    assert len(first) < 80
    assert f" out: {code}" in first
    assert f"0 of {count} in service" in text


def test_a_label_has_the_whole_name_of_the_server() -> None:
    name = "main/ldap-provider-1.example.com"
    found = labels(render(with_metrics(USUAL[0], server=name), SinkOptions()).text)

    assert found == ["ldap-provider-1.example.com connect_seconds"]
