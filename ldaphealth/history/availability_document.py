"""The service of servers and clusters in a period, for JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ldaphealth.clocks import EpochSeconds
from ldaphealth.history.availability import (
    Availability,
    ServiceChange,
    availability,
    cluster_availability,
)
from ldaphealth.text.moment import moment


def availability_document(
    changes: Mapping[str, Sequence[ServiceChange]],
    least: Mapping[str, int],
    since: EpochSeconds,
    until: EpochSeconds,
) -> dict[str, Any]:
    """Return the availability of each server, and of each cluster.

    `changes` are by server ID. `least` is the number of servers that a cluster needs in service, by
    its name. A cluster that is not named there is left out: it is configured no longer.
    """
    clusters = {
        name: {server: of for server, of in changes.items() if server.startswith(f"{name}/")}
        for name in sorted(least)
    }
    return {
        "since": moment(since),
        "until": moment(until),
        "servers": [
            {"server": server} | _document(availability(changes[server], since, until))
            for server in sorted(changes)
        ],
        "clusters": [
            {"cluster": name, "min_in_service": least[name]}
            | _document(cluster_availability(of, least[name], since, until))
            for name, of in clusters.items()
            if of
        ],
    }


def of_target(least: Mapping[str, int], target: str) -> Mapping[str, int]:
    """Return the clusters to show: all without a target, one for its name, none for a server."""
    return {name: number for name, number in least.items() if target in ("", name)}


def _document(found: Availability) -> dict[str, Any]:
    longest = found.longest
    return {
        "known_seconds": found.known_seconds,
        "in_service_ratio": found.share,
        "out_seconds": found.out_seconds,
        "outages": len(found.outages),
        "longest_outage": None
        if longest is None
        else {
            "began": moment(longest.began),
            "seconds": longest.seconds,
            "causes": list(longest.causes),
            "has_ended": longest.has_ended,
        },
        "removals": dict(found.removals),
    }
