"""The public interface for authors of checks; docs/write-a-check.md is the tutorial.

The names in this module are stable within one major version of ldaphealth. Importing it does not
load the LDAP library: `Session` is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Meta, Struct, field

from ldaphealth.check import Check, CheckedCluster, Login, ObservationsByServer, View
from ldaphealth.judging.thresholds import Range, Thresholds, at_most
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.flight import CompareRequest, Flight, SearchRequest
from ldaphealth.ldap.names import DN, AttributeName
from ldaphealth.ldap.search_filter import Filter
from ldaphealth.model import (
    Basis,
    CheckEffect,
    Failure,
    FailureKind,
    Finding,
    Metric,
    Observation,
    Role,
    Server,
    State,
    Trust,
)
from ldaphealth.survey import StoppedError, SurveyContext, SurveyFacts, SurveyResult
from ldaphealth.text.printable import printable

if TYPE_CHECKING:
    from ldaphealth.ldap.session import Session

__all__ = [
    "DN",
    "AttributeName",
    "Basis",
    "Check",
    "CheckEffect",
    "CheckedCluster",
    "CompareRequest",
    "Deadline",
    "Failure",
    "FailureKind",
    "Filter",
    "Finding",
    "Flight",
    "Login",
    "Meta",
    "Metric",
    "Observation",
    "ObservationsByServer",
    "Range",
    "Role",
    "SearchRequest",
    "Server",
    "Session",
    "SessionError",
    "State",
    "StoppedError",
    "Struct",
    "SurveyContext",
    "SurveyFacts",
    "SurveyResult",
    "Thresholds",
    "Trust",
    "View",
    "at_most",
    "field",
    "printable",
]


def __getattr__(name: str) -> object:
    """Load the session, and with it the LDAP library, when it is first used."""
    if name == "Session":
        from ldaphealth.ldap.session import Session  # noqa: PLC0415

        return Session
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
