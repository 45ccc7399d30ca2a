"""Positions, vectors and standings: the replication state as OpenLDAP stores it."""

from ldaphealth.csn.behind import MAJORITY, Reference, ReferenceMode, Standing, VectorRead, assess
from ldaphealth.csn.essential import essential
from ldaphealth.csn.regressed import Regression, never_shown, regressed
from ldaphealth.csn.value import CSN, MAX_SHOWN, CSNError, ServerId, parse, parse_server_id
from ldaphealth.csn.vector import ATTRIBUTE, MOST_SERVER_IDS, Vector, lacks, parse_vector

__all__ = [
    "ATTRIBUTE",
    "CSN",
    "MAJORITY",
    "MAX_SHOWN",
    "MOST_SERVER_IDS",
    "CSNError",
    "Reference",
    "ReferenceMode",
    "Regression",
    "ServerId",
    "Standing",
    "Vector",
    "VectorRead",
    "assess",
    "essential",
    "lacks",
    "never_shown",
    "parse",
    "parse_server_id",
    "parse_vector",
    "regressed",
]
