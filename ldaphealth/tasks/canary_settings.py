"""The settings of the checks that write to canaries. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from ldaphealth.checks.canary import Purpose
from ldaphealth.settings import Cluster


def canary_params(cluster: Cluster) -> Mapping[Purpose, Any]:
    """Return the settings of the checks that write, by the purpose of their canaries."""
    of_kind = {each.check.name: each.params for each in cluster.checks}
    return {each: of_kind[each] for each in get_args(Purpose) if each in of_kind}
