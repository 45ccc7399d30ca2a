"""The real agent in a thread of the test, beside real slapds, and all that it ever decided.

Tests of what is true at a certain moment ask it; running_agent.py has the agent as a process.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, Self

from msgspec.structs import replace

from demo import wait
from demo.cluster import Cluster
from ldaphealth import settings
from ldaphealth.agent.agent import Agent
from ldaphealth.model import Finding, Server, State, Verdict
from ldaphealth.publishers.publication import Publication
from ldaphealth.settings import AgentSettings, ConfiguredCheck, Settings
from tests.slapd.watched import watched

AT_ONCE = settings.Settle(fall_soft=1, rise=1, min_out_seconds=0, ramp_seconds=0)
NO_FILES = AgentSettings(
    runtime_directory=Path("/nonexistent"), state_directory=Path("/nonexistent")
)


class Recorded:
    """An agent that looks every `interval_seconds`; a context manager.

    It believes what it sees at once, so that a test knows when. `params` are those of checks by
    name, in place of their defaults; `servers` replace all nodes; `named` are more checks.
    """

    def __init__(  # noqa: PLR0913  what a test may need
        self,
        cluster: Cluster,
        checks: tuple[str, ...] = ("replication",),
        *,
        interval_seconds: float = 0.2,
        params: Mapping[str, Any] = {},
        servers: Sequence[Server] = (),
        named: Sequence[ConfiguredCheck] = (),
    ) -> None:
        asked = watched(cluster, checks=("connect", "bind", *checks, "unbind"))
        planned = tuple(
            replace(each, params=params.get(each.check.name, each.params)) for each in asked.checks
        )
        self.asked = replace(
            asked,
            servers=(*servers,) or asked.servers,
            checks=(*planned[:-1], *named, planned[-1]),
            min_in_service=1,
            interval_seconds=interval_seconds,
            settle=AT_ONCE,
        )
        self.decided: list[tuple[float, Mapping[str, Verdict]]] = []
        self.agent = Agent(Settings({"c": self.asked}, NO_FILES), [self])
        self._thread = threading.Thread(target=self.agent.run, name="agent")

    def publish(self, decided: Publication) -> None:
        """Remember what was decided, and when, once every server was looked at."""
        if len(decided.verdicts) == len(self.asked.servers):
            self.decided.append((monotonic(), decided.verdicts))

    def close(self) -> None:
        """Do nothing: the agent has ended."""

    def __enter__(self) -> Self:
        self._thread.start()
        wait.until(lambda: bool(self.decided), 10.0, "no verdicts")
        return self

    def __exit__(self, *_: object) -> None:
        self.agent.stop()
        self._thread.join()

    def out(self) -> set[str]:
        """Return the names of the nodes that are out now."""
        return {name[2:] for name, each in self.decided[-1][1].items() if not each.in_service}

    def ever_out(self) -> set[str]:
        """Return the names of the nodes that ever were out."""
        return {
            name[2:]
            for _, verdicts in self.decided
            for name, each in verdicts.items()
            if not each.in_service
        }

    def wrong(self) -> dict[str, set[tuple[str, State]]]:
        """Return what is not OK now, by node."""
        return {
            name[2:]: {(r.code, r.state) for r in each.reasons}
            for name, each in self.decided[-1][1].items()
            if each.reasons
        }

    def ever_wrong(self) -> dict[str, set[str]]:
        """Return the codes of all that ever was not OK, by node."""
        codes: dict[str, set[str]] = {}
        for _, verdicts in self.decided:
            for name, each in verdicts.items():
                for reason in each.reasons:
                    codes.setdefault(name[2:], set()).add(reason.code)
        return codes

    def findings(self, name: str) -> tuple[Finding, ...]:
        """Return the findings on one node now."""
        return self.decided[-1][1][f"c/{name}"].findings

    def values(self, name: str, metric: str) -> list[tuple[float, float]]:
        """Return when, and the largest value that a number of one node then had."""
        return [
            (at, max(values))
            for at, verdicts in self.decided
            if (values := _values(verdicts[f"c/{name}"], metric))
        ]

    def since(self, name: str, *, in_service: bool) -> float:
        """Return when one node last became so."""
        for at, verdicts in reversed(self.decided):
            if verdicts[f"c/{name}"].in_service is not in_service:
                break
            since = at
        return since

    def until_out(self, names: set[str], seconds: float) -> None:
        """Wait until these nodes are out and no others."""
        wait.until(lambda: self.out() == names, seconds, f"{names} are not out: {self.wrong()}")


def _values(verdict: Verdict, metric: str) -> list[float]:
    return [
        each.value for found in verdict.findings for each in found.metrics if each.name == metric
    ]
