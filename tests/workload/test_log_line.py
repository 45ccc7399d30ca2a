"""Lines as slapd 2.5.13 and 389 Directory Server write them, in the forms that logs have."""

from __future__ import annotations

import pytest

from ldaphealth.ldap.codec import PAGED_RESULTS_OID
from ldaphealth.workload.log_line import (
    AttributesLine,
    CompareLine,
    CountedLine,
    LogLine,
    ResultLine,
    SearchLine,
    UnreadableLine,
    parse_log_line,
)

KEY = b"conn=1000 op=1"
SEARCH = KEY + b' SRCH base="dc=example,dc=org" scope=2 deref=0 filter="(uid=anna)"'
BEFORE = {
    "nothing": (b"", b""),
    "slapd -d stats, or logfile-format debug": (b"6b08928d.08060270 0x7f62d29fe6c0 ", b""),
    "slapd 2.4 -d stats": (b"6b08928d ", b""),
    "syslog, RFC 3164": (b"Nov 26 20:11:19 ldap1 slapd[123]: ", b"ldap1 slapd[123]: "),
    "syslog, a day of one digit": (b"Nov  6 20:11:19 ldap1 slapd[123]: ", b"ldap1 slapd[123]: "),
    "syslog, ISO 8601": (
        b"2026-11-26T20:11:19.123456+01:00 ldap1 slapd[123]: ",
        b"ldap1 slapd[123]: ",
    ),
    "syslog, RFC 5424": (b"<167>1 2026-11-26T20:11:19Z ldap1 slapd 123 - - ", b""),
    "journalctl -o short-monotonic": (b"[ 1234.567890] ldap1 slapd[123]: ", b"ldap1 slapd[123]: "),
    "journalctl -o export": (b"MESSAGE=", b""),
    "syslog of illumos": (b"Nov 26 20:11:19 ldap1 slapd[123]: [ID 469 local4.debug] ", b""),
    "389": (b"[23/Jun/2020:16:30:27.388006333 -0400] ", b""),
}


@pytest.mark.parametrize(("before", "server"), BEFORE.values(), ids=BEFORE)
def test_what_stands_before_a_line_does_not_matter(before: bytes, server: bytes) -> None:
    parsed = parse_log_line(before + SEARCH)

    assert isinstance(parsed, SearchLine)
    assert parsed.key == server + KEY
    assert (parsed.base, parsed.scope, parsed.filter) == (b"dc=example,dc=org", 2, b"(uid=anna)")


SAID: dict[bytes, LogLine | None] = {
    b" SRCH attr=cn mail": AttributesLine(KEY, (b"cn", b"mail")),
    b' SRCH base="" scope=0 deref=3 filter="(objectClass=*)"': SearchLine(
        key=KEY, base=b"", scope=0, deref=3, filter=b"(objectClass=*)"
    ),
    b' SRCH base="o=\\"a\\" b" scope=1 deref=0 filter="(cn="x")"': SearchLine(
        key=KEY, base=b'o=\\"a\\" b', scope=1, filter=b'(cn="x")'
    ),
    b' SRCH base="dc=example,dc=org" scope=2 deref=0 filter="(uid=an': UnreadableLine(KEY),
    b" SRCH base=": UnreadableLine(KEY),
    b" SEARCH RESULT tag=101 err=0 qtime=0.000011 etime=0.000140 nentries=1 text=": ResultLine(
        KEY, 0, 1, 0.00014
    ),
    b" SEARCH RESULT tag=101 err=4 nentries=500 text=": ResultLine(KEY, 4, 500, None),
    b" RESULT tag=111 err=6 qtime=0.000008 etime=0.000047 text=": ResultLine(KEY, 6, 0, 0.000047),
    b' CMP dn="uid=anna,dc=example,dc=org" attr="uid"': CompareLine(
        KEY, b"uid=anna,dc=example,dc=org", b"uid"
    ),
    b' BIND dn="cn=root,dc=example,dc=org" method=128': CountedLine(KEY, "bind"),
    b' BIND dn="cn=root,dc=example,dc=org" mech=SIMPLE bind_ssf=0 ssf=0': None,
    b" UNBIND": CountedLine(KEY, "unbind"),
    b' ADD dn="uid=anna,dc=example,dc=org"': CountedLine(KEY, "add"),
    b' MOD dn="uid=anna,dc=example,dc=org"': CountedLine(KEY, "modify"),
    b" MOD attr=sn": None,
    b' MODRDN dn="uid=anna,dc=example,dc=org"': CountedLine(KEY, "modrdn"),
    b' DEL dn="uid=anna,dc=example,dc=org"': CountedLine(KEY, "delete"),
    b" EXT oid=1.3.6.1.4.1.4203.1.11.1": CountedLine(KEY, "extended"),
    b' PASSMOD id="uid=anna,dc=example,dc=org" new': None,
    b" WHOAMI": None,
    b" ABANDON msg=3": CountedLine(KEY, "abandon"),
    b' do_search: invalid dn: "ou=pe"le"': None,
    # 389 Directory Server
    b' SRCH base="dc=example,dc=org" scope=2 filter="(uid=anna)" attrs="cn mail"': SearchLine(
        key=KEY,
        base=b"dc=example,dc=org",
        scope=2,
        filter=b"(uid=anna)",
        attributes=(b"cn", b"mail"),
    ),
    b' SRCH base="dc=example,dc=org" scope=0 filter="(uid=anna)" attrs=ALL': SearchLine(
        key=KEY, base=b"dc=example,dc=org", scope=0, filter=b"(uid=anna)", attributes=()
    ),
    b' SRCH base="dc=o" scope=2 filter="(uid=a)" attrs=ALL authzid="cn=x", dn="cn=y"': SearchLine(
        key=KEY, base=b"dc=o", scope=2, filter=b"(uid=a)", attributes=()
    ),
    b" RESULT err=0 tag=101 nentries=24 wtime=0.000078414 optime=0.001614101 etime=0.001690742": (
        ResultLine(KEY, 0, 24, 0.001690742)
    ),
    b" RESULT err=0 tag=101 nentries=2 etime=0 notes=U,P": ResultLine(
        KEY, 0, 2, 0.0, (PAGED_RESULTS_OID,)
    ),
    b' MOD dn="uid=anna,dc=example,dc=org", authzid="cn=x"': CountedLine(KEY, "modify"),
    b' EXT oid="1.3.6.1.4.1.4203.1.11.1" name="passwd_modify_extop"': CountedLine(KEY, "extended"),
    b" ABANDON targetop=3 msgid=4": CountedLine(KEY, "abandon"),
}


@pytest.mark.parametrize(("line", "said"), SAID.items())
def test_what_a_line_says(line: bytes, said: LogLine | None) -> None:
    assert parse_log_line(KEY + line) == said


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"slapd starting", id="another message"),
        pytest.param(b"conn=1000 fd=11 ACCEPT from IP=127.0.0.1:49184", id="a connection"),
        pytest.param(b"conn=1000 op=1", id="cut off after the number"),
        pytest.param(b"conn=1000", id="cut off before the number"),
        pytest.param(b"conn= op=1 UNBIND", id="no number"),
        pytest.param(b"conn=Internal(1) op=2(1)(1) SRCH base=", id="an internal search of 389"),
        pytest.param(b"message repeated 2 times: [ " + SEARCH + b"]", id="repeated, by rsyslog"),
        pytest.param(b"imuxsock lost 12 messages from pid 123", id="lost, by rsyslog"),
        pytest.param(b'{"MESSAGE": ["conn=1 op=1 UNBIND"', id="JSON, cut off"),
        pytest.param(b'["conn=1 op=1 UNBIND"]', id="JSON without a mapping"),
    ],
)
def test_other_lines_say_nothing(line: bytes) -> None:
    assert parse_log_line(line) is None


def test_lines_of_journalctl_as_json_are_read() -> None:
    line = (
        b'{"_PID":"123","_HOSTNAME":"ldap1","MESSAGE":"conn=1000 op=1 SRCH base=\\"dc=o\\" '
        b'scope=2 deref=0 filter=\\"(uid=anna)\\""}'
    )

    parsed = parse_log_line(line)

    assert isinstance(parsed, SearchLine)
    assert parsed.key == b"ldap1 slapd[123]: conn=1000 op=1"
    assert parsed.filter == b"(uid=anna)"
