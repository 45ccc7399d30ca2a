"""The examination of cn=Monitor: whether there is one, and whether the account reads it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ldaphealth.checks.monitor_access import monitor_rule
from ldaphealth.doctor.by_code import by_codes, count
from ldaphealth.doctor.facts import ClusterFacts, Facts
from ldaphealth.doctor.problem import Examined, Importance, Problem, Step
from ldaphealth.model import Server

CHECKS = frozenset({"monitor", "resources", "counters", "consumer", "entry_count"})
MODULE = """\
# Only if slapd loads back_monitor as a module, as that of Debian does.
dn: cn=module{{0}},cn=config
changetype: modify
add: olcModuleLoad
olcModuleLoad: back_monitor

dn: olcDatabase=monitor,cn=config
changetype: add
objectClass: olcDatabaseConfig
objectClass: olcMonitorConfig
olcDatabase: monitor
olcAccess: {rule} by * none
"""


def examine_monitor(facts: Facts) -> Examined:
    """Return the servers of OpenLDAP without a monitor database, or with one that is hidden."""
    problems = list(by_codes("no_access")(facts).problems)
    reading = total = 0
    for cluster in facts.clusters:
        if not any(each.check.name in CHECKS for each in cluster.cluster.checks):
            continue
        servers = cluster.cluster.data_servers
        total += len(servers)
        reading += sum(each.id in cluster.reads for each in servers)
        problems += _missing(cluster)
    return Examined(tuple(problems), count(reading, total))


def _missing(cluster: ClusterFacts) -> Iterator[Problem]:
    without = [each for each in cluster.cluster.data_servers if _lacks_monitor(cluster, each)]
    if not without:
        return
    names = sorted({each.check.name for each in cluster.cluster.checks} & CHECKS)
    yield Problem(
        importance=Importance.MEND,
        code="monitor.missing",
        where=tuple(each.id for each in without),
        what="slapd has no monitor database: its root DSE has no monitorContext",
        why=f"the checks {', '.join(names)} see nothing: no full database, no lost replication "
        "link, no shortage of threads",
        remedy="add the database `monitor` (slapd-monitor(5)), or turn these checks off: "
        "`checks: {monitor: off}`",
        steps=tuple(
            Step("ldif", MODULE.format(rule=monitor_rule(each)), each.uri) for each in without
        ),
    )


def _lacks_monitor(cluster: ClusterFacts, server: Server) -> bool:
    read = cluster.reads.get(server.id)
    return read is not None and read.is_openldap and read.has_monitor is False
