"""What a server answers with each result code, in words (RFC 4511 A.2, and the RFCs it names).

A sentence has them in place of the bare name of the code, which follows in parentheses.
"""

from __future__ import annotations

from collections.abc import Mapping

# What the server says, and the likely cause.
RESULT_WORDS: Mapping[str, str] = {
    "operationsError": "it was not in a state to do this",
    "protocolError": "it does not understand the request",
    "timeLimitExceeded": "its time limit passed",
    "sizeLimitExceeded": "its limit on entries is lower than what was requested",
    "compareFalse": "the value is another one",
    "compareTrue": "the value is this one",
    "authMethodNotSupported": "it does not permit this kind of bind",
    "strongerAuthRequired": "it requires TLS, or a stronger kind of bind",
    "referral": "another server has this data",
    "adminLimitExceeded": "its limit on the work for one search is too low, or an index is missing",
    "unavailableCriticalExtension": "it lacks an extension of LDAP that is needed",
    "confidentialityRequired": "it requires TLS for this",
    "saslBindInProgress": "the SASL bind is not complete",
    "noSuchAttribute": "the attribute or value does not exist",
    "undefinedAttributeType": "its schema has no such attribute",
    "inappropriateMatching": "its schema permits no such comparison",
    "constraintViolation": "a rule for values or passwords forbids it",
    "attributeOrValueExists": "the attribute or value exists already",
    "invalidAttributeSyntax": "the value does not have the form that its schema demands",
    "noSuchObject": "the entry does not exist, or the account has no right to see it",
    "aliasProblem": "an alias leads nowhere",
    "invalidDNSyntax": "the DN is not a valid one",
    "aliasDereferencingProblem": "an alias cannot be followed, or the account has no right to",
    "inappropriateAuthentication": "the account has no password, or no anonymous bind is permitted",
    "invalidCredentials": "the account or the password is wrong",
    "insufficientAccessRights": "the account has no right to do this",
    "busy": "it is too busy",
    "unavailable": "it is shutting down, or its database is offline",
    "unwillingToPerform": "its settings forbid it, or its database is read-only",
    "loopDetected": "an alias or a referral leads back to itself",
    "namingViolation": "the name does not fit its schema",
    "objectClassViolation": "the entry would not fit its schema",
    "notAllowedOnNonLeaf": "there are entries below this one",
    "notAllowedOnRDN": "the value is part of the name of the entry",
    "entryAlreadyExists": "the entry exists already",
    "objectClassModsProhibited": "the object class cannot be changed",
    "affectMultipleDSAs": "it concerns several servers",
    "lcupResourcesExhausted": "it has no resources left for this",
    "lcupSecurityViolation": "the account has no right to do this",
    "lcupInvalidData": "it received data that are not valid",
    "lcupUnsupportedScheme": "it does not know this scheme",
    "lcupReloadRequired": "all data must be read again",
    "canceled": "the operation was cancelled",
    "noSuchOperation": "there is no such operation to cancel",
    "tooLate": "it is too late to cancel the operation",
    "cannotCancel": "the operation cannot be cancelled",
    "assertionFailed": "the entry is not as it was asserted to be",
    "authorizationDenied": "the account may not act as another one",
    "e-syncRefreshRequired": "all data must be read again",
    "other": "an error within the server, which its log has",
}

UNKNOWN_WORDS = "a result that RFC 4511 does not name"


def is_result_code(code: str) -> bool:
    """Return whether it is of LDAP: one of the table, or `resultCode` and a number."""
    return code in RESULT_WORDS or code.removeprefix("resultCode").isdecimal()


def result_words(name: str) -> str:
    """Return what a server says with the result code of this name, without the name."""
    return RESULT_WORDS.get(name, UNKNOWN_WORDS)
