"""What people read in five situations: `status`, `explain` of the worst server, the log, the page.

The findings are those of real runs; rules, verdicts and texts are made of them here. After a change
that is wanted, `python -m tests.golden.situations` writes the files again.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from html import unescape
from pathlib import Path
from typing import Any

import structlog
from msgspec import Struct, to_builtins
from msgspec.structs import replace

from ldaphealth.agent.explanation_document import _guarded, _judged_document
from ldaphealth.agent.verdict_log import log_change
from ldaphealth.control.explanation_lines import explanation_lines, wrapped
from ldaphealth.guard import Decision, Memory, RoundPeriod, ServerMemory, decide, holding
from ldaphealth.live.live_server import LiveServer
from ldaphealth.live.live_state import LiveView
from ldaphealth.live.status_document import status_document
from ldaphealth.model import (
    BindMethod,
    Credentials,
    Finding,
    Metric,
    Server,
    Snapshot,
    State,
    Tls,
    Trust,
)
from ldaphealth.page import page
from ldaphealth.publishers.publication import VerdictChange
from ldaphealth.settings import Cluster
from ldaphealth.sinks import SinkOptions
from ldaphealth.sinks.json_document import verdict_document
from ldaphealth.sinks.nagios import PluginExtras, plugin_output
from ldaphealth.tables.status_table import render_status
from ldaphealth.tables.terminal import as_text
from tests.checks.seen import planned
from tests.page.views import BOOT, EPOCH, HEALTH

FOLDER = Path(__file__).parent
WIDTH = 80
NAMES = ("alpha", "beta", "gamma", "delta")
DN = "cn=ldaphealth,ou=services,dc=example,dc=com"
PASSWORD_FILE = "/etc/ldaphealth/check.password"
CHECKS = ("connect", "bind", "search", "replication")
CLUSTER = Cluster(
    name="c",
    servers=tuple(
        Server(
            cluster="c",
            name=each,
            uri=f"ldap://{each}.example",
            suffix="dc=example,dc=com",
            credentials=Credentials(BindMethod.SIMPLE, DN, password_file=PASSWORD_FILE),
            tls=Tls(start_tls=True),
        )
        for each in NAMES
    ),
    checks=tuple(planned(each) for each in CHECKS if each != "search"),
    min_in_service=2,
)
EXPIRED = (
    f"the password of {DN} in {PASSWORD_FILE} has expired; set another one (ldappasswd) and write "
    "it there; refused by beta 18 s ago, next attempt in 42 s; 2 checks not run without the bind: "
    "search, replication"
)
SPLIT = (
    "split for 75.2 s: alpha, beta | gamma, delta; this server lacks changes of server ID 003, "
    "004; no server is removed for a split"
)


class Problem(Struct, frozen=True):
    """The finding that a situation shows, and the servers that have it."""

    check: str
    code: str
    trust: Trust
    summary: str
    servers: tuple[str, ...]
    metric: str = ""


PROBLEMS: Mapping[str, Problem] = {
    "frozen": Problem(
        "bind", "timeout", Trust.HARD, f"no answer within 5 s to the bind as {DN}", ("beta",)
    ),
    "behind": Problem(
        "replication",
        "behind",
        Trust.SOFT,
        "has not received changes of server ID 001 for 75.2 s; most others have",
        ("gamma",),
        "behind_seconds",
    ),
    "split": Problem("replication", "split", Trust.INFORMATIVE, SPLIT, NAMES, "split_seconds"),
    "expired": Problem("bind", "invalidCredentials", Trust.EXPECTATION, EXPIRED, NAMES),
}


def texts() -> dict[str, str]:
    """Return the text of each situation."""
    return {name: _text(problem) for name, problem in PROBLEMS.items()} | {"dead": _dead()}


def _dead() -> str:
    parts = []
    for each in (("status",), ("explain", "c/alpha"), ("history",)):
        done = subprocess.run(
            [sys.executable, "-m", "ldaphealth", *each, "--socket", "/nowhere/agent.sock"],
            env=os.environ | {"LDAPHEALTH_CONFIG": "/nowhere/ldaphealth.yaml"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        parts.append(f"$ ldaphealth {' '.join(each)}\n{done.stdout}")
    return "\n".join(parts)


def _finding(server: str, check: str, problem: Problem | None) -> Finding:
    is_bad = problem is not None and problem.check == check and server[2:] in problem.servers
    metric = "behind_seconds" if check == "replication" else ""
    if problem is None or not is_bad:
        found = Finding(server=server, check=check, state=State.OK, code="ok", summary="fine")
        return replace(found, metrics=(Metric(metric, 0.0),)) if metric else found
    return Finding(
        server=server,
        check=check,
        state=State.CRITICAL,
        code=problem.code,
        summary=problem.summary,
        trust=problem.trust,
        metrics=(Metric(problem.metric, 75.2),) if problem.metric else (),
    )


def _decided(findings: list[Finding]) -> Decision:
    servers = {
        each.id: ServerMemory(in_service=True, since=BOOT - 7200) for each in CLUSTER.servers
    }
    decision = decide(CLUSTER, findings, Memory(servers=servers), BOOT)
    for number in range(3):
        at = BOOT + number
        rounds = {each.id: RoundPeriod(began=at, ended=at + 0.5) for each in CLUSTER.servers}
        decision = decide(CLUSTER, findings, decision.memory, at + 0.5, rounds)
    return decision


def _text(problem: Problem) -> str:
    checks = [each.name for each in CLUSTER.checks]
    findings = [_finding(each.id, check, problem) for each in CLUSTER.servers for check in checks]
    decision = _decided(findings)
    worst = max(decision.verdicts, key=lambda each: (each.state.severity, not each.in_service))
    return "\n".join(
        [
            "$ ldaphealth status",
            _status(decision),
            "",
            f"$ ldaphealth explain {worst.server}",
            *wrapped(explanation_lines(_explanation(decision, worst.server)), WIDTH),
            "",
            "$ check_ldaphealth --agent --cluster c",
            _plugin(decision),
            "",
            "the page's title",
            _title(decision),
            "",
            "the log",
            _logged(VerdictChange(None, worst)),
            "",
        ]
    )


def _status(decision: Decision) -> str:
    document = status_document(decision.verdicts, {}, HEALTH, BOOT, ())
    more = {
        "valid_seconds": {each.id: 9.0 for each in CLUSTER.servers},
        "roles": {each.id: each.role.value for each in CLUSTER.servers},
    }
    return as_text(render_status(document | more), width=WIDTH, colour=False)


def _plugin(decision: Decision) -> str:
    """Return the first line without perfdata, which Nagios shows."""
    snapshot = Snapshot(taken_at=EPOCH, verdicts=tuple(decision.verdicts))
    text = plugin_output(snapshot, SinkOptions(), PluginExtras()).text
    return text.splitlines()[0].partition("|")[0].rstrip()


def _explanation(decision: Decision, server: str) -> dict[str, Any]:
    now = BOOT + 3
    verdict = next(each for each in decision.verdicts if each.server == server)
    past = decision.memory.servers[server]
    held = holding(verdict, past, None, CLUSTER, now)
    uri = next(each.uri for each in CLUSTER.servers if each.id == server)
    return {
        "server": server,
        "uri": uri,
        "seen": [
            {
                "check": "replication",
                "age_seconds": 3.2,
                "timings": {"search": 0.0012},
                "facts": {
                    "contextCSN": {"dc=example": ["20261120120000.000000Z#000000#001#000000"]}
                },
                "failure": None,
            }
        ],
        "judged": [_judged_document(each, verdict) for each in verdict.findings],
        "guarded": to_builtins(_guarded(past, CLUSTER.settle, verdict.held_by, now)),
        "held": to_builtins(held) | {"override_in_force": None} if held else None,
        "verdict": verdict_document(verdict),
    }


def _title(decision: Decision) -> str:
    known = {
        each.server: LiveServer(verdict=each, valid_until=BOOT + 60) for each in decision.verdicts
    }
    text = page.render(LiveView({"c": known}), HEALTH, boot_seconds=BOOT, epoch_seconds=EPOCH)
    return unescape(text.partition("<title>")[2].partition("</title>")[0])


def _logged(change: VerdictChange) -> str:
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign, assignment]
    log = logging.getLogger("ldaphealth.agent.verdict_log")
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        log_change(change)
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
    standard = {*vars(logging.makeLogRecord({})), "message", "asctime"}  # a formatter adds two
    event = {key: each for key, each in vars(records[0]).items() if key not in standard}
    renderer = structlog.processors.LogfmtRenderer(bool_as_flag=False)
    return str(renderer(None, "", {"event": records[0].getMessage()} | event))


def write(made: Callable[[], Mapping[str, str]] = texts) -> None:
    """Write the files again."""
    for name, text in made().items():
        (FOLDER / f"{name}.txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
