"""Find mistakes in credentials that depend on their use: a check that logs in finds the DN itself.

build.py calls it with all clusters, because each of them may use the same credentials.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ldaphealth.config.mistakes import Problems
from ldaphealth.config.shape import ClusterEntry, File, ServerEntry
from ldaphealth.model import BindMethod
from ldaphealth.settings import Cluster

MISSING = "is missing; method simple needs a DN"
OTHER_METHOD = "must be simple: a check logs in with these credentials"


def check_uses(file: File, built: Mapping[str, Cluster], problems: Problems) -> None:
    """Add a mistake for each DN that is missing and not found by a check, and each other method."""
    uses = [use for name, each in file.clusters.items() for use in _uses(each, built[name])]
    of_logins = {name for name, is_login in uses if is_login}
    of_others = {name for name, is_login in uses if not is_login}
    for name, each in file.credentials.items():
        if problems.has_at(f"credentials.{name}"):
            continue
        is_needed = name in of_others or name not in of_logins
        if each.method is BindMethod.SIMPLE and not each.dn and is_needed:
            problems.add(f"credentials.{name}.dn", MISSING)
        if each.method is not BindMethod.SIMPLE and name in of_logins:
            problems.add(f"credentials.{name}.method", OTHER_METHOD)


def _uses(entry: ClusterEntry, cluster: Cluster) -> Iterator[tuple[str, bool]]:
    """Yield each name of credentials that a cluster uses, and whether that is to log in."""
    yield entry.credentials, False
    for server in entry.servers.values():
        if isinstance(server, ServerEntry):
            yield server.credentials, False
    for check in cluster.checks:
        settings = entry.checks.get(check.name)
        if isinstance(settings, dict):
            yield str(settings.get("credentials", "")), check.check.observe_as is not None
