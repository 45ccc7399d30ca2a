"""What was found as one JSON document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import to_builtins

from ldaphealth.discover.discovery import Discovery
from ldaphealth.discover.draft import server_names
from ldaphealth.discover.measured_times import normal_time


def discovery_document(discovery: Discovery) -> dict[str, Any]:
    """Return the facts, the roles, the times, what is hidden, and the configuration as text."""
    return {
        "cluster": discovery.draft.cluster,
        "naming_contexts": list(discovery.contexts),
        "servers": [*_servers(discovery)],
        "unread": to_builtins(discovery.found.unread),
        "dns": to_builtins(discovery.dns),
        "measured": _measured(discovery),
        "hidden": to_builtins(discovery.hidden),
        "configuration": discovery.text,
    }


def _servers(discovery: Discovery) -> Iterator[dict[str, Any]]:
    servers = discovery.found.servers
    names = server_names([each.facts.uri for each in servers])
    for name, server, role in zip(names, servers, discovery.roles, strict=True):
        facts = to_builtins(server.facts)
        found = {"name": name, "evidence": server.evidence, "uris": list(server.uris)}
        yield found | facts | {"role": to_builtins(role)}


def _measured(discovery: Discovery) -> dict[str, Any] | None:
    measured = discovery.measured
    if measured is None:
        return None
    checks = dict.fromkeys(check for of in measured.seconds.values() for check in of)
    return {
        "sessions": measured.sessions,
        "failed_sessions": {server: len(of) for server, of in measured.failures.items()},
        "quantile_seconds": {
            check: to_builtins(found)
            for check in checks
            if (found := normal_time(measured, (check,))) is not None
        },
    }
