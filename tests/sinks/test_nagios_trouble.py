"""What Nagios shows of a cluster in trouble: the cause in the first line, the next step below."""

from __future__ import annotations

from msgspec.structs import replace

from ldaphealth.model import CheckEffect, Reason, Snapshot, State, Verdict
from ldaphealth.sinks import SinkOptions
from ldaphealth.sinks.check_ldap import PluginOptions
from ldaphealth.sinks.check_ldap import render as render_plugin
from ldaphealth.sinks.nagios import render
from tests.sinks.snapshots import TAKEN_AT, serving

SIDES = "a, b against c, d for 72 s; each lacks changes of the other"
REFUSED = "the password of cn=ldaphealth,ou=services,dc=example,dc=com has expired " * 4


def troubled(server: str, code: str, summary: str, **changed: object) -> Verdict:
    reason = Reason(code, summary, State.CRITICAL, CheckEffect.OUT, removes="held_by" in changed)
    bad = replace(serving(server), state=State.CRITICAL, reasons=(reason,), remedies={code: "mend"})
    return replace(bad, **changed)


def lines(*verdicts: Verdict) -> list[str]:
    text = render(Snapshot(TAKEN_AT, verdicts), SinkOptions()).text
    first, *rest = text.splitlines()
    return [first.partition(" | ")[0].rstrip(), *rest]


def test_a_split_names_its_sides_in_the_first_line() -> None:
    first, *rest = lines(*(troubled(f"c/{n}", "replication.split", SIDES) for n in "abcd"))

    assert first.startswith("LDAP CRITICAL - all 4: replication.split; a, b against c, d")
    assert len(first) < 80
    assert "4 of 4 in service" in rest
    assert "b CRITICAL: the same as a" in rest
    assert "what to do about replication.split: mend" in rest


def test_no_bar_is_written_as_an_escape_between_words() -> None:
    text = "\n".join(lines(troubled("c/a", "replication.split", "a, b | c, d")))

    assert "a, b / c, d" in text
    assert "x7c" not in text


def test_servers_that_a_rule_keeps_in_as_all_fail_alike_are_said_to() -> None:
    first, *rest = lines(
        *(troubled(f"c/{n}", "bind.invalidCredentials", REFUSED, held_by="blind") for n in "ab")
    )

    assert first.startswith("LDAP CRITICAL - all 2 fail alike: bind.invalidCredentials; the pass")
    assert any(REFUSED.strip() in each for each in rest)  # whole


def test_a_server_that_is_out_has_the_time_and_the_sentence_and_no_response_time() -> None:
    out = troubled("c/ldap3", "replication.behind", "lacks changes", in_service=False)
    snapshot = Snapshot(TAKEN_AT, (replace(out, lasted_seconds=72.4),))

    first = render_plugin(snapshot, PluginOptions()).text.splitlines()[0]

    assert first.startswith("LDAP CRITICAL - ldap3 out for 72 s: replication.behind; lacks changes")
