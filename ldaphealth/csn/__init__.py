"""Positions, vectors, and who is behind: replication state as OpenLDAP keeps it."""

from ldaphealth.csn.behind import Sighting, Standing, assess
from ldaphealth.csn.value import CSN, CSNError, parse
from ldaphealth.csn.vector import ATTRIBUTE, Vector, lacks, parse_vector

__all__ = [
    "ATTRIBUTE",
    "CSN",
    "CSNError",
    "Sighting",
    "Standing",
    "Vector",
    "assess",
    "lacks",
    "parse",
    "parse_vector",
]
