"""Runs of `ldaphealth doctor` beside the demo cluster, and what they found."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.cluster import Cluster
from demo.tree import CANARIES, CHECK_DN, PEOPLE, SUFFIX
from tests.slapd.running_agent import PROGRAM

CONFIG = """\
agent: {{runtime_directory: "{directory}/run", state_directory: "{directory}/state"}}
credentials: {{probe: {{dn: "{dn}", password_file: "{password_file}"}}}}
clusters:
  c:
    suffix: {suffix}
    credentials: probe
    deadline_seconds: {deadline_seconds}
    {more}
    servers: {{{servers}}}
    checks: {{{checks}}}
"""
SEARCH = f'search: {{base: "{PEOPLE}", scope: one, entries: {{critical: "10:"}}}}'
WRITE = f'write: {{container: "{CANARIES}", agent: doctor}}'


@dataclass(frozen=True)
class Doctor:
    """What one run found: the exit status, and the problems by their codes."""

    exit_status: int
    problems: Mapping[str, Mapping[str, Any]]
    covered: Mapping[str, str]

    def where(self, code: str) -> Sequence[str]:
        """Return the servers or files of a problem."""
        found: Sequence[str] = self.problems[code]["where"]
        return found

    def steps(self, code: str, kind: str = "command") -> list[str]:
        """Return the texts of the steps of a problem."""
        return [each["text"] for each in self.problems[code]["steps"] if each["kind"] == kind]


def configure(  # noqa: PLR0913  what differs between tests
    directory: Path,
    cluster: Cluster,
    *,
    dn: str = CHECK_DN,
    password_file: Path | None = None,
    uris: Sequence[str] = (),
    more: str = "",
    deadline_seconds: float = 4,
    checks: Sequence[str] = (SEARCH,),
) -> Path:
    """Write a configuration with all nodes and return its path."""
    path = directory / "ldaphealth.yaml"
    uris = uris or [each.uri for each in cluster.nodes]
    path.write_text(
        CONFIG.format(
            directory=directory,
            dn=dn,
            password_file=password_file or cluster.accounts.check.password_file,
            suffix=SUFFIX,
            more=more,
            deadline_seconds=deadline_seconds,
            servers=", ".join(f"ldap{n}: '{uri}'" for n, uri in enumerate(uris, 1)),
            checks=", ".join(checks),
        )
    )
    return path


def run(config: Path, *options: str) -> tuple[int, str]:
    """Return the exit status and the output of a run."""
    done = subprocess.run(
        [PROGRAM, "doctor", "--config", config, *options],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def doctor(config: Path, *options: str) -> Doctor:
    """Run it, and return what it found."""
    status, out = run(config, "--format", "json", *options)
    document = json.loads(out)
    assert document["exit_status"] == status
    return Doctor(
        status,
        {each["code"]: each for each in document["problems"]},
        {each["name"]: each["covered"] for each in document["examinations"]},
    )
