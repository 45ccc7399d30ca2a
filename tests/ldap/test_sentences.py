"""The sentences of failures: who requested what, what the server answered, and a wrong port."""

from __future__ import annotations

import pytest
from ldap3.core.results import RESULT_CODES

from ldaphealth.ldap.codec import Result
from ldaphealth.ldap.endpoint import parse_uri
from ldaphealth.ldap.sentences import START_TLS, bind_by, on, refused_sentence, wrong_port
from ldaphealth.model import BindMethod, Credentials, Failure, FailureKind
from ldaphealth.text.result_words import RESULT_WORDS, UNKNOWN_WORDS, result_words

CHECK = Credentials(BindMethod.SIMPLE, "cn=check,dc=example,dc=com")
ANONYMOUS = Credentials()
EXTERNAL = Credentials(BindMethod.EXTERNAL)
NO_ENTRY = "the entry does not exist, or the account has no right to see it"
CLOSED = "the server closed the connection during the bind as anonymous"


@pytest.mark.parametrize(
    ("what", "credentials", "result", "sentence"),
    [
        (
            on("search below", "cn=Operations,cn=Monitor"),
            CHECK,
            Result(32, ""),
            (
                "the search below cn=Operations,cn=Monitor as cn=check,dc=example,dc=com failed: "
                f"{NO_ENTRY} (noSuchObject)"
            ),
        ),
        (
            on("modification of", "cn=c,dc=example"),
            ANONYMOUS,
            Result(53, "operation restricted"),
            (
                "the modification of cn=c,dc=example as anonymous failed: the server's settings "
                "forbid it, or its database is read-only (unwillingToPerform: operation restricted)"
            ),
        ),
        (
            bind_by(EXTERNAL),
            EXTERNAL,
            Result(49, ""),
            (
                "the bind as SASL EXTERNAL failed: the account or the password is wrong "
                "(invalidCredentials)"
            ),
        ),
        (
            START_TLS,
            CHECK,
            Result(2, "unsupported\nextended"),
            (
                "StartTLS failed: the server does not understand the request "
                "(protocolError: unsupported\\nextended)"
            ),
        ),
        (
            on("search below", ""),
            ANONYMOUS,
            Result(4097, ""),
            f"the search below the root DSE as anonymous failed: {UNKNOWN_WORDS} (resultCode4097)",
        ),
    ],
)
def test_a_refusal_says_who_requested_what_and_why_it_failed(
    what: str, credentials: Credentials, result: Result, sentence: str
) -> None:
    assert refused_sentence(what, credentials, result) == sentence


def test_a_long_dn_does_not_hide_the_cause() -> None:
    long = Credentials(BindMethod.SIMPLE, "cn=" + "x" * 500)
    sentence = refused_sentence(on("search below", "cn=" + "y" * 500), long, Result(32, "z" * 500))

    assert f"failed: {NO_ENTRY} (noSuchObject: z" in sentence
    assert len(sentence) < 450


@pytest.mark.parametrize("name", sorted({*RESULT_CODES.values()} - {"success", "reserved"}))
def test_every_result_code_has_words(name: str) -> None:
    assert result_words(name) == RESULT_WORDS[name]


@pytest.mark.parametrize(
    ("uri", "kind", "detail", "named"),
    [
        ("ldap://h:636", FailureKind.CONNECT, CLOSED, "port 636 is that of LDAPS"),
        ("ldap://h:636", FailureKind.TIMEOUT, "no answer", ""),
        ("ldap://h:389", FailureKind.CONNECT, CLOSED, ""),
        ("ldaps://h:389", FailureKind.TLS, "failed: eof", "port 389 is that of LDAP"),
        ("ldaps://h:1389", FailureKind.TLS, "x: wrong version number", "may be one without TLS"),
        ("ldaps://h:1389", FailureKind.TLS, "x: bad record", ""),
        ("ldaps://h:636", FailureKind.CERTIFICATE, "not trusted", ""),
    ],
)
def test_tls_on_the_wrong_port_is_named(
    uri: str, kind: FailureKind, detail: str, named: str
) -> None:
    hint = wrong_port(parse_uri(uri), Failure(kind, detail))

    assert named in hint
    assert bool(named) is bool(hint)
