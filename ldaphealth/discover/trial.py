"""One round of the drafted configuration: which checks work, and what they find now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from ldaphealth.checks import SESSION, find
from ldaphealth.config import build
from ldaphealth.config.fill import fill_struct
from ldaphealth.config.mistakes import ConfigError, Problems
from ldaphealth.config.shape import File
from ldaphealth.discover.draft import OFF, Draft
from ldaphealth.guard import Memory
from ldaphealth.model import Finding, State, Verdict
from ldaphealth.settings import Cluster
from ldaphealth.tasks.one_shot import evaluate_cluster
from ldaphealth.text.listed import listed

MOST_THREADS = 64
MOST_NAMES = 4  # of servers in a comment
UNSEEN = frozenset({"no_access", "no_csn"})  # codes of findings on what cannot be read
NOT_APPLICABLE = "not_applicable"  # and on what a server does not have
LEFT_OUT = UNSEEN | {NOT_APPLICABLE}


def load_draft(draft: Draft) -> Cluster:
    """Return the cluster as the program reads it from the file; ConfigError for a mistake."""
    problems = Problems()
    file = fill_struct(File, draft.data, "", problems)
    clusters = build.clusters(file, find, problems) if isinstance(file, File) else {}
    if problems.mistakes:
        raise ConfigError(problems.mistakes)
    return clusters[draft.cluster]


def try_checks(cluster: Cluster) -> tuple[Verdict, ...]:
    """Return the verdicts of one round."""
    with ThreadPoolExecutor(min(MOST_THREADS, len(cluster.servers)), "trial") as pool:
        return evaluate_cluster(cluster, Memory(), pool)


def note_findings(draft: Draft, verdicts: Sequence[Verdict]) -> None:
    """Turn off what cannot be read, with the reason, and comment on what is not OK."""
    by_check: dict[str, dict[str, Finding]] = defaultdict(dict)
    for verdict in verdicts:
        for each in verdict.findings:
            if each.state is not State.OK or each.code == NOT_APPLICABLE:
                by_check[each.check][verdict.server.partition("/")[2]] = each
    for check, findings in by_check.items():
        if check not in SESSION:
            _leave_out(draft, check, findings, len(verdicts))
        _comment(
            draft, check, {n: each for n, each in findings.items() if each.code not in LEFT_OUT}
        )


def _leave_out(draft: Draft, check: str, findings: Mapping[str, Finding], servers: int) -> None:
    """Turn a check off that shows nothing on any server, and leave out those that hide it."""
    hiding = [name for name, each in findings.items() if each.code in UNSEEN]
    useless = [each for each in findings.values() if each.code in LEFT_OUT]
    if len(useless) == servers:
        draft.checks[check] = OFF
        draft.comment_on_check(
            check, "no server shows what it reads, see below" if hiding else useless[0].summary
        )
    elif hiding and "only" not in (draft.checks.get(check) or {}):
        draft.set_check(check, {"except": hiding})
        draft.comment_on_check(check, "except servers that do not show what it reads, see below")


def _comment(draft: Draft, check: str, findings: Mapping[str, Finding]) -> None:
    if findings:
        draft.set_check(check, {})
    for summary in dict.fromkeys(each.summary for each in findings.values()):
        names = [name for name, each in findings.items() if each.summary == summary]
        first = findings[names[0]]
        shown = listed(names, MOST_NAMES)
        draft.comment_on_check(check, f"{first.state.name} on {shown} ({first.code}): {summary}")
