"""What the agent answers: one function a request, in one literal table.

server.py calls `Answers.answer` in a thread of the caller; whatever touches the agent's state is
handed to the thread that owns it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import TimeoutError as NotInTime
from typing import Any

import msgspec

from ldaphealth.agent import Agent
from ldaphealth.config.mistakes import near
from ldaphealth.control.requests import Answer, Explain, History, Request, Say, Status, Unsay
from ldaphealth.deadline import boot_seconds
from ldaphealth.guard import Override, Past
from ldaphealth.journal import Journal, JournalError
from ldaphealth.model import Observation, Server, Snapshot
from ldaphealth.pool import Pool
from ldaphealth.publish.json_document import document, finding_document

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 4.0


class Refused(Exception):  # noqa: N818  an answer, no error of ours
    """Why a request is not answered, in one line."""


class Answers:
    """The questions that one agent answers."""

    def __init__(
        self, agent: Agent, journal: Journal, save: Callable[[], None], version: str
    ) -> None:
        self._agent, self._journal, self._save, self._version = agent, journal, save, version

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        try:
            return Answer(TABLE[type(request)](self, request))
        except Refused as error:
            return Answer(error=str(error))
        except JournalError as error:
            return Answer(error=f"the history cannot be read: {error}")
        except NotInTime:
            return Answer(error="the agent is busy; try again")

    def status(self, _: Status) -> dict[str, Any]:
        """Return the document of `check --format json`, with the operators' words and the agent."""
        return self._owned(self._status)

    def explain(self, request: Explain) -> dict[str, Any]:
        """Return what was seen of one server last, what it means, and which rule decided."""
        return self._owned(lambda: self._explain(request.server))

    def history(self, request: History) -> dict[str, Any]:
        """Return the latest changes, newest first."""
        changes = self._journal.changes(request.server, request.limit, request.before_epoch)
        if request.server and not changes:
            self._find(request.server)  # a server that is gone has a history, a typo has none
        return {"changes": changes}

    def say(self, request: Say) -> dict[str, Any]:
        """Take an operator's word."""
        until = boot_seconds() + request.seconds
        word = Override(request.will, until, request.reason)
        return self._said(request.server, word)

    def unsay(self, request: Unsay) -> dict[str, Any]:
        """Take an operator's word back."""
        return self._said(request.server, None)

    def _said(self, server: str, word: Override | None) -> dict[str, Any]:
        document = self._owned(lambda: self._override(server, word))
        log.info(
            "override" if word else "override taken back",
            extra={
                "server": server,
                "will": word.will if word else "",
                "seconds": round(word.until - boot_seconds()) if word else 0,
                "reason": word.reason if word else "",
            },
        )
        try:
            self._save()  # an operator's word that was taken survives whatever comes
        except OSError as error:
            raise Refused(
                f"done, but it is not saved, and keepalived may not see it: {error}"
            ) from error
        return document

    def _owned(self, run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Have the agent's own thread run it."""
        found: Any = self._agent.ask(run).result(PATIENCE_SECONDS)
        return dict(found)

    def _status(self) -> dict[str, Any]:
        agent = self._agent
        verdicts = [each for pool in agent.pools.values() for each in pool.verdicts.values()]
        whole = document(Snapshot(time.time(), tuple(verdicts)))
        whole["overrides"] = {
            server: _override_document(word)
            for pool in agent.pools.values()
            for server, word in pool.memory.overrides.items()
        }
        whole["agent"] = {
            "version": self._version,
            "up_seconds": boot_seconds() - agent.started_at,
            "servers": sum(len(pool.cluster.servers) for pool in agent.pools.values()),
            "rounds": agent.counters.rounds,
            "overruns": agent.counters.overruns,
            "in_flight": agent.in_flight,
            "publish_errors": agent.counters.publish_errors,
            "history_errors": self._journal.errors,
            "history_lost": self._journal.lost,
        }
        return whole

    def _explain(self, name: str) -> dict[str, Any]:
        pool, server = self._find(name)
        verdict = pool.verdicts.get(server.id)
        past = pool.memory.servers.get(server.id)
        if verdict is None or past is None:
            raise Refused(f"{name} was not looked at yet")
        settle = msgspec.to_builtins(pool.cluster.settle)
        return {
            "server": server.id,
            "uri": server.uri,
            "seen": [
                *map(_observation_document, pool.latest.get(server.id, ())),
                *map(_observation_document, pool.surveyed.get(server.id, {}).values()),
            ],
            "judged": [finding_document(finding) for finding in verdict.findings],
            "guarded": _past_document(past, boot_seconds())
            | {"settle": settle, "held_by": verdict.held_by},
            "verdict": document(Snapshot(time.time(), (verdict,)))["verdicts"][0],
        }

    def _override(self, name: str, word: Override | None) -> dict[str, Any]:
        pool, server = self._find(name)
        if word is None and server.id not in pool.memory.overrides:
            raise Refused(f"nobody said anything of {server.id}")
        pool.override(server.id, word)
        self._agent.decide(pool)
        verdict = pool.verdicts.get(server.id)
        return {"server": server.id, "in_service": verdict.in_service if verdict else None}

    def _find(self, name: str) -> tuple[Pool, Server]:
        known = {
            server.id: (pool, server)
            for pool in self._agent.pools.values()
            for server in pool.cluster.servers
        }
        if name not in known:
            raise Refused(f"the agent looks at no {name!r}{near(name, known)}")
        return known[name]


def _override_document(word: Override) -> dict[str, Any]:
    left_seconds = max(0.0, word.until - boot_seconds())
    return {"will": word.will, "left_seconds": left_seconds, "reason": word.reason}


def _past_document(past: Past, now: float) -> dict[str, Any]:
    return {
        "in_service": past.in_service,
        "since_seconds": now - past.since,
        "good_rounds": past.good,
        "bad_rounds": past.bad,
        "went_out_lately": len(past.fell),
        "silent_seconds": 0.0 if past.silent_since is None else now - past.silent_since,
    }


def _observation_document(observation: Observation) -> dict[str, Any]:
    failure = observation.failure
    return {
        "check": observation.check,
        "duration_seconds": observation.duration_seconds,
        "timings": dict(observation.timings),
        "facts": msgspec.to_builtins(dict(observation.facts), enc_hook=str),
        "failure": msgspec.to_builtins(failure) if failure else None,
    }


TABLE: Mapping[type, Callable[[Answers, Any], dict[str, Any]]] = {
    Status: Answers.status,
    Explain: Answers.explain,
    History: Answers.history,
    Say: Answers.say,
    Unsay: Answers.unsay,
}
