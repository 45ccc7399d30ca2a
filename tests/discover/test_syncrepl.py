"""Values of olcSyncrepl, as slapd writes them, and what it never writes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.discover.syncrepl import (
    LONGEST,
    MOST_PROVIDERS,
    Syncrepl,
    interval_seconds,
    parse_syncrepl,
    provider_uri,
)
from ldaphealth.model import LONGEST_POLL_SECONDS

# As slapd 2.5.13 shows it.
REAL = (
    "{0}rid=001 provider=ldap://127.0.0.1:13279 bindmethod=simple timeout=1 network-timeout=2 "
    'binddn="cn=admin,dc=example,dc=com" credentials="s3cret of replication" keepalive=5:2:1 '
    'tcp-user-timeout=0 starttls=no filter="(objectclass=*)" searchbase="dc=example,dc=com" '
    'scope=sub schemachecking=off type=refreshAndPersist retry="1 +"'
)
LASTING = Syncrepl(
    rid="001",
    providers=("ldap://127.0.0.1:13279",),
    search_base="dc=example,dc=com",
    bind_dn="cn=admin,dc=example,dc=com",
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(REAL, LASTING, id="real"),
        pytest.param(
            'provider="ldap://a ldap://b:1389" type=refreshOnly interval=00:00:05:00',
            Syncrepl(providers=("ldap://a", "ldap://b:1389"), poll_interval_seconds=300),
            id="several providers, polls",
        ),
        pytest.param(
            "type=refreshOnly\n  provider=LDAPS://Ldap1.Example.COM/",
            Syncrepl(providers=("ldaps://ldap1.example.com",), poll_interval_seconds=86_400),
            id="a line end, capitals, the default interval",
        ),
        pytest.param(
            'provider=ldap://[2001:db8::1]:389 searchbase="cn=a \\"b\\",dc=x" provider=ldap://late',
            Syncrepl(providers=("ldap://[2001:db8::1]",), search_base=""),
            id="IPv6; a base with quotes is no DN; the first key counts",
        ),
        pytest.param(
            'provider=ldap://a credentials="provider=ldap://evil"',
            Syncrepl(providers=("ldap://a",)),
            id="a key in quotes is none",
        ),
        pytest.param(
            'provider=ldap://a type=refreshAndPersist interval=00:00:00:05 binddn="cn=x\x1b,dc=y"',
            Syncrepl(providers=("ldap://a",)),
            id="a link that lasts has no interval; a DN with an escape is left out",
        ),
    ],
)
def test_a_value_is_read_as_slapd_reads_it(text: str, expected: Syncrepl) -> None:
    assert parse_syncrepl(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "rid=001", "provider=", "provider=http://x", "provider=ldap://", "x" * (LONGEST + 1)),
        *("provider=ldap://user@host", "provider=ldapi://%2Frun%2Fs", 'provider="ldap://a\x00b"'),
    ],
)
def test_a_value_without_a_provider_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="olcSyncrepl"):
        parse_syncrepl(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("00:00:05:00", 300),
        ("01:00:00:00", 86_400),
        ("300", 300),
        ("", 86_400),
        ("soon", 86_400),
        ("00:00:00:00", 86_400),
        ("99999:99:99:99", LONGEST_POLL_SECONDS),
        ("9" * 40, 86_400),
        ("\u0660\u0660:00:05:00", 86_400),
    ],
)
def test_an_interval_is_bounded(text: str, seconds: float) -> None:
    assert interval_seconds(text) == seconds


KEYS = ("rid=001", "provider=ldap://a", "provider=", 'searchbase="', "type=", "interval=")
OTHERS = ("refreshOnly", "1:2:3:4", 'credentials="pass word"', "binddn=cn=x", "{0}")
WORDS = st.sampled_from((*KEYS, *OTHERS, '"', "\\", "\n", " ", "\x1b"))


@given(st.one_of(st.text(max_size=300), st.lists(WORDS, max_size=30).map(" ".join)))
def test_any_text_is_a_bounded_link_or_an_error(text: str) -> None:
    try:
        link = parse_syncrepl(text)
    except ValueError:
        return
    assert 1 <= len(link.providers) <= MOST_PROVIDERS
    assert all(provider_uri(each) == each for each in link.providers)
    assert 0 <= link.poll_interval_seconds <= LONGEST_POLL_SECONDS
    assert "".join([link.rid, *link.providers, link.search_base, link.bind_dn]).isprintable()


@given(st.text(alphabet=st.characters(exclude_characters='"\\'), min_size=8, max_size=20))
def test_no_password_is_kept(text: str) -> None:
    password = f"§{text}"  # no name of an attribute, such as `provider`
    link = parse_syncrepl(f'provider=ldap://a credentials="{password}" rid=001')

    assert password not in repr(link)
