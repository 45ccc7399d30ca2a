"""The sentences on what a server refused: who requested what, and what the server answered.

Pure. session.py and simple_bind.py make failures of them.
"""

from __future__ import annotations

from ldaphealth.ldap.codec import Result
from ldaphealth.ldap.endpoint import DEFAULT_PORTS, Endpoint
from ldaphealth.model import BindMethod, Credentials, Failure, FailureKind
from ldaphealth.text.printable import printable
from ldaphealth.text.result_words import result_words

LONGEST_DN = 100  # characters of a DN in a sentence
LONGEST_MESSAGE = 120  # of the server's message
START_TLS = "StartTLS"
OTHER_PORT = {  # by whether the URI is ldaps://: the port of the other kind, and the next step
    False: (
        DEFAULT_PORTS["ldaps"],
        "port 636 is that of LDAPS: write ldaps:// in the URI, without StartTLS",
    ),
    True: (
        DEFAULT_PORTS["ldap"],
        "port 389 is that of LDAP: write ldap:// in the URI, with StartTLS",
    ),
}
NO_TLS = "the port may be one without TLS: then write ldap:// in the URI, with StartTLS"
# What one more connection to the port has shown (other_protocol.py).
SPEAKS_LDAPS = "this port speaks LDAPS: write ldaps:// in the URI, without StartTLS"
SPEAKS_PLAIN = "this port speaks LDAP without TLS: write ldap:// in the URI, with StartTLS"
REMEDY = "in the URI"  # in each of these sentences
# The messages of OpenSSL for a peer that closes the connection, or answers with LDAP.
NOT_TLS = ("unexpected eof while reading", "wrong version number")
# Failures of a peer that does not speak the expected protocol.
BROKEN = (FailureKind.CONNECT, FailureKind.PROTOCOL, FailureKind.TLS)


def account_of(credentials: Credentials) -> str:
    """Return the account: the DN, `anonymous`, or the mechanism that has the client's identity."""
    if credentials.method is BindMethod.SIMPLE:
        return printable(credentials.dn, LONGEST_DN)
    return "SASL EXTERNAL" if credentials.method is BindMethod.EXTERNAL else "anonymous"


def bind_by(credentials: Credentials) -> str:
    """Return the words for a bind with these credentials."""
    return f"the bind as {account_of(credentials)}"


def on(operation: str, dn: str) -> str:
    """Return the words for an operation on a DN: `the search below`, `the compare on`."""
    return f"the {operation} {printable(dn, LONGEST_DN) or 'the root DSE'}"


def code_and_message(result: Result) -> str:
    """Return the name of the result code and the server's message, in parentheses."""
    message = printable(result.message, LONGEST_MESSAGE)
    return f"({result.code_name}: {message})" if message else f"({result.code_name})"


def refused_sentence(what: str, credentials: Credentials, result: Result) -> str:
    """Return that an operation failed, for which account, and why in words."""
    who = "" if what in {START_TLS, bind_by(credentials)} else f" as {account_of(credentials)}"
    return f"{what}{who} failed: {result_words(result.code_name)} {code_and_message(result)}"


def wrong_port(endpoint: Endpoint, failure: Failure) -> str:
    """Return the end of a sentence if the port is most likely the other one of LDAP, or ""."""
    if failure.kind not in BROKEN or failure.is_local:
        return ""
    port, remedy = OTHER_PORT[endpoint.is_tls]
    if endpoint.port == port:
        return f"; {remedy}"
    return f"; {NO_TLS}" if endpoint.is_tls and failure.detail.endswith(NOT_TLS) else ""
