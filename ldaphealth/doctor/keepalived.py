"""The examination of keepalived.conf: timeouts and options of the scripts of ldaphealth. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ldaphealth.doctor.facts import Gathered
from ldaphealth.doctor.keepalived_conf import DYNAMIC, KeepalivedConf, MiscCheck
from ldaphealth.doctor.problem import Examined, Importance, Problem, Step
from ldaphealth.doctor.steps import command
from ldaphealth.generate.keepalived import (
    GRACE_SECONDS,
    LOG_AND_KILL_SECONDS,
    script_limit_seconds,
)
from ldaphealth.settings import Cluster
from ldaphealth.text.duration import exact_duration
from ldaphealth.text.printable import printable
from ldaphealth.text.quantity import plural_of
from ldaphealth.text.suggestion import suggestion

MANUAL = "keepalived/README.md"
KILLED_WHY = (
    "keepalived ends the script before it can answer, and removes the server; without an agent "
    "that happens whenever one server hangs"
)


def examine_keepalived(facts: Gathered) -> Examined:
    """Return what is wrong with the checks that run ldaphealth-check."""
    conf = facts.keepalived
    if conf is None:
        return Examined((), f"not examined: {printable(facts.no_keepalived)}")
    clusters = {each.cluster.name: each.cluster for each in facts.clusters}
    problems = [*_problem_of_file(conf)]
    for each in conf.checks:
        problems += _problems(each, clusters)
    checks = len(conf.checks)
    covered = f"{checks or 'no'} {plural_of(checks, 'check')} of {printable(conf.file)}"
    return Examined(tuple(problems), covered)


def _problem_of_file(conf: KeepalivedConf) -> Iterator[Problem]:
    if conf.problem:
        yield _problem(
            "unreadable",
            (conf.file,),
            f"an included file cannot be read: {printable(conf.problem)}",
            "the checks in it were not examined",
            "run `ldaphealth doctor` as a user who may read it",
            importance=Importance.MEND,
        )


def _problems(check: MiscCheck, clusters: Mapping[str, Cluster]) -> Iterator[Problem]:
    cluster, known = clusters.get(check.server.partition("/")[0]), _servers(clusters)
    if cluster is None or check.server not in known:
        yield _unknown(check, known)
        return
    if check.is_misc_dynamic != check.has_dynamic_option:
        yield _not_both(check)
    limit = check.limit_seconds or script_limit_seconds([cluster])
    if check.kills_after_seconds < limit + GRACE_SECONDS:
        yield _too_short(check, cluster, limit)


def _servers(clusters: Mapping[str, Cluster]) -> list[str]:
    return [server.id for each in clusters.values() for server in each.servers]


def _unknown(check: MiscCheck, known: list[str]) -> Problem:
    hint = suggestion(check.server, known)
    return _problem(
        "unknown_server",
        (_line(check),),
        f"the script is for {printable(check.server)!r}, which the configuration does not have"
        f"{hint}",
        "the script knows no such server: it logs that, exits 0, and the server stays in unchecked",
        f"write CLUSTER/SERVER as in the configuration ({MANUAL})",
    )


def _not_both(check: MiscCheck) -> Problem:
    has, lacks = "misc_dynamic", f"{DYNAMIC} in misc_path"
    if check.has_dynamic_option:
        has, lacks = f"{DYNAMIC} in misc_path", "misc_dynamic"
    return _problem(
        "dynamic",
        (_line(check),),
        f"the check of {check.server} has {has} and lacks {lacks}",
        "with both the exit status is the weight plus 2, with neither it is 0 or 1: with one of "
        "them keepalived takes a healthy server for a failed one, or loses its weight",
        f"write both or neither ({MANUAL})",
    )


def _too_short(check: MiscCheck, cluster: Cluster, limit_seconds: float) -> Problem:
    name = "misc_timeout" if check.timeout_seconds else "misc_timeout is not set, so delay_loop"
    wanted = f"misc_timeout {limit_seconds + LOG_AND_KILL_SECONDS:g}"
    old = f"misc_timeout  *{check.timeout_seconds:g}" if check.timeout_seconds else ""
    edit = f"{check.line}s/misc_timeout.*/{wanted}/" if old else f"{check.line}a {wanted}"
    return _problem(
        "timeout",
        (_line(check),),
        f"the check of {check.server}: {name} is "
        f"{exact_duration(check.kills_after_seconds)}, and the script "
        f"needs up to {exact_duration(limit_seconds)}, because the deadline of {cluster.name} is "
        f"{exact_duration(cluster.deadline_seconds)}",
        KILLED_WHY,
        f"set `{wanted}`, and LDAPHEALTH_SECONDS={limit_seconds:g} for keepalived if it is not 8: "
        "`ldaphealth generate keepalived` prints both",
        (
            Step("command", command("sed", "-i", edit, check.file)),
            Step("command", "systemctl reload keepalived"),
        ),
    )


def _line(check: MiscCheck) -> str:
    return f"{printable(check.file)}:{check.line}"


def _problem(  # noqa: PLR0913, PLR0917  those of a problem
    code: str,
    where: tuple[str, ...],
    what: str,
    why: str,
    remedy: str,
    steps: tuple[Step, ...] = (),
    importance: Importance = Importance.BREAKS,
) -> Problem:
    return Problem(
        importance=importance,
        code=f"keepalived.{code}",
        where=where,
        what=what,
        why=why,
        remedy=remedy,
        steps=steps,
    )
