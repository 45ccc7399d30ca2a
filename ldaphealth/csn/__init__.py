"""Positions, vectors and standings: the replication state as OpenLDAP stores it."""

from ldaphealth.csn.baseline import ClusterRegression, capped, cluster_regressions
from ldaphealth.csn.behind import (
    MAJORITY,
    Reference,
    ReferenceMode,
    Standing,
    Terms,
    VectorRead,
    assess,
    standing_of,
)
from ldaphealth.csn.counted import counted, newest_positions
from ldaphealth.csn.essential import essential
from ldaphealth.csn.regressed import Regression, never_shown, regressed
from ldaphealth.csn.value import CSN, MAX_SHOWN, CSNError, find_all, parse
from ldaphealth.csn.vector import ATTRIBUTE, MOST_SERVER_IDS, Vector, lacks, parse_vector

__all__ = [
    "ATTRIBUTE",
    "CSN",
    "MAJORITY",
    "MAX_SHOWN",
    "MOST_SERVER_IDS",
    "CSNError",
    "ClusterRegression",
    "Reference",
    "ReferenceMode",
    "Regression",
    "Standing",
    "Terms",
    "Vector",
    "VectorRead",
    "assess",
    "capped",
    "cluster_regressions",
    "counted",
    "essential",
    "find_all",
    "lacks",
    "never_shown",
    "newest_positions",
    "parse",
    "parse_vector",
    "regressed",
    "standing_of",
]
