"""What a server answers with each result code, in words (RFC 4511 A.2, and the RFCs it names).

A sentence has them in place of the bare name of the code, which follows in parentheses.
"""

from __future__ import annotations

from collections.abc import Mapping

# The meaning, or the likely cause.
RESULT_WORDS: Mapping[str, str] = {
    "operationsError": "the server was not in a state to do this",
    "protocolError": "the server does not understand the request",
    "timeLimitExceeded": "the server's time limit passed",
    "sizeLimitExceeded": "the server's limit on entries is lower than what was requested",
    "compareFalse": "the value is another one",
    "compareTrue": "the value is this one",
    "authMethodNotSupported": "the server does not permit this kind of bind",
    "strongerAuthRequired": "the server requires TLS, or a stronger kind of bind",
    "referral": "another server has this data",
    "adminLimitExceeded": "a limit of the server on one search is too low, or an index is missing",
    "unavailableCriticalExtension": "the server lacks an extension of LDAP that is needed",
    "confidentialityRequired": "the server requires TLS for this",
    "saslBindInProgress": "the SASL bind is not complete",
    "noSuchAttribute": "the attribute or value does not exist",
    "undefinedAttributeType": "the server's schema has no such attribute",
    "inappropriateMatching": "the server's schema permits no such comparison",
    "constraintViolation": "a rule for values or passwords forbids it",
    "attributeOrValueExists": "the attribute or value exists already",
    "invalidAttributeSyntax": "the value does not have the form that the schema demands",
    "noSuchObject": "the entry does not exist, or the account has no right to see it",
    "aliasProblem": "an alias leads nowhere",
    "invalidDNSyntax": "the DN is not a valid one",
    "aliasDereferencingProblem": "an alias cannot be followed, or the account has no right to",
    "inappropriateAuthentication": "the account has no password, or no anonymous bind is permitted",
    "invalidCredentials": "the account or the password is wrong",
    "insufficientAccessRights": "the account has no right to do this",
    "busy": "the server is too busy",
    "unavailable": "the server is shutting down, or its database is offline",
    "unwillingToPerform": "the server's settings forbid it, or its database is read-only",
    "loopDetected": "an alias or a referral leads back to itself",
    "namingViolation": "the name does not fit the schema",
    "objectClassViolation": "the entry would not fit the schema",
    "notAllowedOnNonLeaf": "there are entries below this one",
    "notAllowedOnRDN": "the value is part of the name of the entry",
    "entryAlreadyExists": "the entry exists already",
    "objectClassModsProhibited": "the object class cannot be changed",
    "affectMultipleDSAs": "the operation concerns several servers",
    "lcupResourcesExhausted": "the server has no resources left for this",
    "lcupSecurityViolation": "the account has no right to do this",
    "lcupInvalidData": "the server received data that are not valid",
    "lcupUnsupportedScheme": "the server does not know this scheme",
    "lcupReloadRequired": "all data must be read again",
    "canceled": "the operation was cancelled",
    "noSuchOperation": "there is no such operation to cancel",
    "tooLate": "it is too late to cancel the operation",
    "cannotCancel": "the operation cannot be cancelled",
    "assertionFailed": "the entry is not as it was asserted to be",
    "authorizationDenied": "the account may not act as another one",
    "e-syncRefreshRequired": "all data must be read again",
    "other": "an error within the server, which its log explains",
}

UNNAMED = "resultCode"  # and the number, of a code without a name
UNKNOWN_WORDS = "a result that RFC 4511 does not name"


def is_result_code(code: str) -> bool:
    """Return whether it is of LDAP: one of the table, or `resultCode` and a number."""
    number = code.removeprefix(UNNAMED)
    return code in RESULT_WORDS or (number != code and number.isdecimal())


def result_words(name: str) -> str:
    """Return the meaning of the result code with this name, without the name."""
    return RESULT_WORDS.get(name, UNKNOWN_WORDS)
