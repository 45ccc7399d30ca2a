"""Positions, vectors, and who is behind: replication state as OpenLDAP keeps it."""

from ldaphealth.csn.behind import MAJORITY, Mode, Reference, Sighting, Standing, assess
from ldaphealth.csn.essential import essential
from ldaphealth.csn.regressed import Regress, never_shown, regressed
from ldaphealth.csn.value import CSN, CSNError, parse
from ldaphealth.csn.vector import ATTRIBUTE, Vector, lacks, parse_vector

__all__ = [
    "ATTRIBUTE",
    "CSN",
    "MAJORITY",
    "CSNError",
    "Mode",
    "Reference",
    "Regress",
    "Sighting",
    "Standing",
    "Vector",
    "assess",
    "essential",
    "lacks",
    "never_shown",
    "parse",
    "parse_vector",
    "regressed",
]
