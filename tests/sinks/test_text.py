"""The table shows which servers are in service, and why others are not, at every width."""

# ruff: noqa: E501  the golden tables are as wide as the terminals they are for

from __future__ import annotations

import re
from textwrap import dedent

import pytest
from msgspec.structs import replace

from ldaphealth.model import Snapshot
from ldaphealth.sinks import SinkOptions
from ldaphealth.sinks.text import render
from tests.sinks.nasty import NASTY, nasty_snapshot
from tests.sinks.snapshots import DRAINED, SNAPSHOTS, TAKEN_AT

COLOUR = re.compile(r"\x1b\[[0-9;]*m")

GOLDEN = [
    pytest.param(
        "healthy",
        100,
        0,
        """
                                           BIND  SEARCH
        SERVER  VERDICT     STATE  WEIGHT    ms      ms
        ldap1   in service  OK        100   2.1     3.4
        ldap2   in service  OK        100   2.1     3.4
        ldap3   in service  OK        100   2.1     3.4
        ldap4   in service  OK        100   2.1     3.4

        4 of 4 servers in service
        """,
        id="a healthy cluster has no column for reasons",
    ),
    pytest.param(
        "one_out",
        160,
        1,
        """
                                                  BIND  SEARCH
        SERVER  VERDICT         STATE     WEIGHT    ms      ms  WHY
        ldap1   in service      OK           100   2.1     3.4
        ldap2   in service      OK           100  12.0   118.0
        ldap3   OUT of service  CRITICAL       0                bind.timeout: no answer to the bind within 5 s: the deadline of the whole session has passed
        ldap4   in service      OK           100   2.1     3.4

        3 of 4 servers in service; ldap3 out: bind.timeout
        """,
        id="one out on a wide terminal",
    ),
    pytest.param(
        "one_out",
        100,
        1,
        """
                                                  BIND  SEARCH
        SERVER  VERDICT         STATE     WEIGHT    ms      ms  WHY
        ldap1   in service      OK           100   2.1     3.4
        ldap2   in service      OK           100  12.0   118.0
        ldap3   OUT of service  CRITICAL       0                bind.timeout: no answer to the bind within 5
                                                                s: the deadline of the whole session has
                                                                passed
        ldap4   in service      OK           100   2.1     3.4

        3 of 4 servers in service; ldap3 out: bind.timeout
        """,
        id="one out, its reason wraps",
    ),
    pytest.param(
        "one_out",
        60,
        1,
        """
        ldap1  in service  OK  weight 100
               bind 2.1 ms, search 3.4 ms
        ldap2  in service  OK  weight 100
               bind 12.0 ms, search 118.0 ms
        ldap3  OUT of service  CRITICAL  weight 0
               bind.timeout: no answer to the bind within 5 s: the
               deadline of the whole session has passed
        ldap4  in service  OK  weight 100
               bind 2.1 ms, search 3.4 ms

        3 of 4 servers in service; ldap3 out: bind.timeout
        """,
        id="one out on a narrow terminal",
    ),
    pytest.param(
        "held_by_floor",
        120,
        1,
        """
                                                  BIND
        SERVER  VERDICT         STATE     WEIGHT    ms  HELD BY  WHY
        ldap1   in service      CRITICAL     100   2.1  floor    search.noSuchObject: search below 'cn=test,dc=example,dc=com'
                                                                 was answered with noSuchObject
        ldap2   OUT of service  CRITICAL       0   2.1           search.noSuchObject: search below 'cn=test,dc=example,dc=com'
                                                                 was answered with noSuchObject

        1 of 2 servers in service; ldap2 out: search.noSuchObject; ldap1 held in by floor: search.noSuchObject
        """,
        id="the rule that holds a server in is named",
    ),
    pytest.param(
        "unknown",
        160,
        0,
        """
        SERVER  VERDICT     STATE    WEIGHT  WHY
        ldap1   in service  UNKNOWN     100  connect.resolve: the name ldap1.example.com does not resolve: no answer from the DNS servers
        ldap2   in service  UNKNOWN     100  connect.resolve: the name ldap1.example.com does not resolve: no answer from the DNS servers

        2 of 2 servers in service; ldap1, ldap2: connect.resolve
        """,
        id="a local failure removes no server",
    ),
    pytest.param(
        "eight",
        60,
        1,
        """
        ldap1  in service  OK  weight 100
               bind 2.1 ms, search 3.4 ms
        ldap2  in service  OK  weight 100
               bind 2.1 ms, search 3.4 ms
        ldap3  OUT of service  CRITICAL  weight 0
               bind.timeout: no answer to the bind within 5 s: the
               deadline of the whole session has passed
        ldap4  in service  OK  weight 100
               bind 2.1 ms, search 3.4 ms
        ldap5  in service  OK  weight 100
               bind 2.1 ms, search 3.4 ms
        ldap6  OUT of service  CRITICAL  weight 0
               bind.timeout: no answer to the bind within 5 s: the
               deadline of the whole session has passed
        ldap7  in service  OK  weight 100
               bind 2.1 ms, search 3.4 ms
        ldap8  in service  OK  weight 100
               bind 2.1 ms, search 3.4 ms

        6 of 8 servers in service; ldap3, ldap6 out: bind.timeout
        """,
        id="eight servers, two of them out for the same reason",
    ),
    pytest.param(
        "empty",
        100,
        1,
        """
        no server was checked
        """,
        id="no server",
    ),
]


@pytest.mark.parametrize(("name", "width", "status", "expected"), GOLDEN)
def test_the_table_reads(name: str, width: int, status: int, expected: str) -> None:
    snapshot = SNAPSHOTS[name]
    bare = tuple(replace(each, remedies={}) for each in snapshot.verdicts)
    output = render(replace(snapshot, verdicts=bare), SinkOptions(width=width))

    assert output.text == dedent(expected).strip("\n")
    assert output.exit_status == status


def test_what_to_do_about_a_reason_stands_once_below_the_table() -> None:
    lines = render(SNAPSHOTS["eight"], SinkOptions(width=400)).text.splitlines()

    assert [line.split(":")[0] for line in lines[-2:]] == [
        "what to do about bind.timeout",
        "6 of 8 servers in service; ldap3, ldap6 out",
    ]


def test_servers_that_all_fail_alike_are_not_shown_as_a_success() -> None:
    held = replace(SNAPSHOTS["one_out"].verdicts[2], in_service=True, held_by="blind")
    all_held = replace(SNAPSHOTS["one_out"], verdicts=(held,))

    assert "nothing is proven" in render(all_held, SinkOptions(width=400)).text
    assert "nothing is proven" not in render(SNAPSHOTS["one_out"], SinkOptions(width=400)).text


@pytest.mark.parametrize("name", SNAPSHOTS)
@pytest.mark.parametrize("width", [60, 100, 160])
def test_colour_says_nothing_that_words_do_not(name: str, width: int) -> None:
    plain = render(SNAPSHOTS[name], SinkOptions(width=width, verbose=True)).text
    coloured = render(SNAPSHOTS[name], SinkOptions(colour=True, width=width, verbose=True)).text
    stripped = "\n".join(line.rstrip() for line in COLOUR.sub("", coloured).split("\n"))

    assert "\x1b" not in plain
    assert stripped == plain


def test_colour_is_used_when_it_is_wanted() -> None:
    assert COLOUR.search(render(SNAPSHOTS["one_out"], SinkOptions(colour=True)).text)


@pytest.mark.parametrize("snapshot", SNAPSHOTS.values(), ids=SNAPSHOTS)
@pytest.mark.parametrize("width", [1, 40, 60, 89, 90, 100, 160])
def test_no_line_is_wider_than_the_terminal(snapshot: Snapshot, width: int) -> None:
    lines = render(snapshot, SinkOptions(width=width, verbose=True)).text.split("\n")

    assert max(map(len, lines)) <= max(width, 40)


def test_a_reason_that_cannot_remove_a_server_says_so() -> None:
    assert (
        "x (cannot remove the server): x"
        in render(nasty_snapshot("x"), SinkOptions(width=160)).text
    )


def test_markup_in_a_server_s_text_is_not_obeyed() -> None:
    text = render(nasty_snapshot(NASTY["rich markup"]), SinkOptions(colour=True, width=400)).text

    assert "[bold red]OK[/] [/] [link=http://x]y[/link] :smile: [" in COLOUR.sub("", text)


def test_verbose_adds_every_finding_with_its_numbers() -> None:
    text = render(SNAPSHOTS["warned"], SinkOptions(width=60, verbose=True)).text

    assert (
        dedent("""
        SERVER  STATE    FINDING
        ldap1   OK       bind.ok: bind took 0.002 s
                           bind_seconds 0.0021 (warning 0.5,
                         critical 2)
                WARNING  search.slow: search took 0.734 s
                           search_seconds 0.734 (warning 0.5,
                         critical 2)
        ldap2   OK       bind.ok: bind took 0.002 s
        """).strip("\n")
        in text
    )


def test_a_server_that_drains_is_not_called_out_of_service() -> None:
    drained = replace(DRAINED.verdicts[1], draining=True)
    text = render(Snapshot(TAKEN_AT, (drained,)), SinkOptions()).text

    assert ("draining  " in text, "OUT of service" in text) == (True, False)
