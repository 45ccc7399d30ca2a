"""The examination of cn=Monitor: whether there is one, and whether the account reads it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ldaphealth.checks.monitor_access import BASE
from ldaphealth.doctor.by_code import count
from ldaphealth.doctor.facts import ClusterFacts, Gathered
from ldaphealth.doctor.problem import Examined, Importance, Problem, Step, joined
from ldaphealth.doctor.rights import missing_rights
from ldaphealth.model import BindMethod, Server
from ldaphealth.reason_codes import ROWS
from ldaphealth.text.printable import printable

NO_ACCESS = "no_access"
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


def examine_monitor(facts: Gathered) -> Examined:
    """Return the servers of OpenLDAP without a monitor database, or with one that is hidden."""
    problems: list[Problem] = []
    reading = total = 0
    for cluster in facts.clusters:
        problems += _hidden(cluster)
        if not any(each.check.name in CHECKS for each in cluster.cluster.checks):
            continue
        servers = cluster.cluster.data_servers
        total += len(servers)
        reading += sum(each.id in cluster.reads for each in servers)
        problems += _missing(cluster)
    return Examined(tuple(problems), count(reading, total))


def _hidden(cluster: ClusterFacts) -> Iterator[Problem]:
    """Yield one problem for all checks that may not read cn=Monitor, with the rights of all."""
    findings = [each for each in cluster.findings if each.code == NO_ACCESS]
    if not findings:
        return
    hidden = {each.server for each in findings}
    checks = {each.check for each in findings}
    servers = [each for each in cluster.cluster.servers if each.id in hidden]
    row = ROWS[NO_ACCESS]
    rights = missing_rights(cluster.cluster, checks, BASE)
    yield Problem(
        importance=Importance.BREAKS,
        code=f"monitor.{NO_ACCESS}",
        where=tuple(each.id for each in servers),
        what=f"the account may not read cn=Monitor, so {', '.join(sorted(checks))} cannot see",
        why=row.means,
        remedy="add these access rules before those that the database has, or turn the checks off",
        steps=joined(
            Step("ldif", each, (it.uri,), bool(it.tls.start_tls))
            for each in rights
            for it in servers
        ),
    )


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
        steps=joined(
            Step(
                "ldif",
                MODULE.format(rule=monitor_rule(each)),
                (each.uri,),
                bool(each.tls.start_tls),
            )
            for each in without
        ),
    )


def monitor_rule(server: Server) -> str:
    """Return the access rule that lets the account of a server read cn=Monitor (slapd.access(5)).

    What others may is to follow it.
    """
    credentials = server.credentials
    who = {
        BindMethod.SIMPLE: f'dn.exact="{printable(credentials.dn)}"',
        BindMethod.EXTERNAL: "users",
    }.get(credentials.method, "anonymous")
    return f'to dn.subtree="{BASE}" by {who} read'


def _lacks_monitor(cluster: ClusterFacts, server: Server) -> bool:
    read = cluster.reads.get(server.id)
    return read is not None and read.is_openldap and read.has_monitor is False
