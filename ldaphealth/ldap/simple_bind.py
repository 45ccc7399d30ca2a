"""A simple bind (RFC 4513 5.1.3): the request with its control, and what a refusal means.

session.py calls it, with the function that sends and receives.
"""

from __future__ import annotations

from collections.abc import Callable

from ldaphealth.ldap import codec
from ldaphealth.ldap.accounts import Accounts
from ldaphealth.ldap.codec import Controls, Result
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.ldap.password_policy import (
    LONGEST_SENTENCE,
    NOTHING,
    REFUSED,
    REQUEST,
    PolicyAnswer,
    account_sentence,
    grace_sentence,
    policy_answer,
)
from ldaphealth.ldap.sentences import bind_by, code_and_message, refused_sentence
from ldaphealth.model import Failure, FailureKind, Server
from ldaphealth.text.printable import printable

INVALID_CREDENTIALS = "invalidCredentials"
# What a server may answer that does not ignore a control it does not know, as it should.
DISLIKES_CONTROL = ("protocolError", "unavailableCriticalExtension")

BindExchange = Callable[[bytes], tuple[Result, Controls]]  # with these controls


def simple_bind(server: Server, accounts: Accounts, exchange: BindExchange) -> PolicyAnswer:
    """Bind, note the result, and return what the server says of the account; SessionError.

    `Accounts.begin` has permitted this one attempt. A server that refuses the control gets the
    request once more without it: it has not compared the password.
    """
    answer, failure = NOTHING, None
    try:
        result, controls = exchange(REQUEST)
        if result.code_name in DISLIKES_CONTROL:
            result, controls = exchange(b"")
        answer = policy_answer(controls, result.message)
        if result.code != codec.SUCCESS:
            failure = refused_bind(server, result, answer)
    except SessionError as error:
        failure = error.failure
        raise
    finally:
        accounts.end(
            server,
            failure,
            is_refused=failure is not None and failure.result_code == INVALID_CREDENTIALS,
            is_guessed=answer.cause is None or answer.cause.is_guessed,
        )
    if failure is not None:
        raise SessionError(failure)
    if answer.grace_logins is not None:
        what = grace_sentence(answer.grace_logins, server.credentials)
        accounts.keep(server, _refused_failure(what))
    return answer


def refused_bind(server: Server, result: Result, answer: PolicyAnswer) -> Failure:
    """Return the failure for a refused bind: the account, its password file, the next step.

    Whatever the server says of the account, it counts as invalidCredentials: the servers of a
    cluster that refuse one account refuse it for one reason, and may word it differently.
    """
    cause = answer.cause
    if cause is None and result.code_name == INVALID_CREDENTIALS:
        cause = REFUSED
    if cause is not None:
        said = _said(result)
        return _refused_failure(account_sentence(cause, server.credentials) + said)
    sentence = refused_sentence(bind_by(server.credentials), server.credentials, result)
    detail = printable(sentence, LONGEST_SENTENCE)
    return Failure(FailureKind.BIND, detail, result.code_name, answered=True)


def _said(result: Result) -> str:
    """Return what the sentence and the reason code do not say: another result code, the message."""
    if result.code_name == INVALID_CREDENTIALS and not result.message:
        return ""
    return f" {code_and_message(result)}"


def _refused_failure(detail: str) -> Failure:
    detail = printable(detail, LONGEST_SENTENCE)
    return Failure(FailureKind.BIND, detail, INVALID_CREDENTIALS, answered=True)
