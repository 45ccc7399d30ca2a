"""What the agent answers: one function a request, in one literal table.

server.py calls `Answers.answer` in a thread of the caller; whatever touches the agent's state is
handed to the thread that owns it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from typing import Any

import msgspec

from ldaphealth.agent.agent import Agent
from ldaphealth.agent.pool import Pool
from ldaphealth.agent.status import health_of, overrides_of
from ldaphealth.clocks import BootSeconds, boot_seconds, epoch_seconds
from ldaphealth.control.explanation import GuardedDocument
from ldaphealth.control.requests import (
    ControlRequest,
    ControlResponse,
    ExplainRequest,
    HistoryRequest,
    OverrideRequest,
    RemoveOverrideRequest,
    StatusRequest,
)
from ldaphealth.guard import Override, ServerMemory
from ldaphealth.live.status_document import status_document
from ldaphealth.model import AnyObservation, Server, Snapshot
from ldaphealth.settings import Settle
from ldaphealth.sinks.json_document import finding_document, snapshot_document
from ldaphealth.store.history import HistoryDatabase, HistoryError
from ldaphealth.text.suggestion import suggestion

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 4.0
BUSY = "the agent is busy; nothing was done; try again"


class RequestRefused(Exception):  # noqa: N818  an answer, no error of ours
    """Why a request is not answered, in one line."""


class Answers:
    """The questions that one agent answers."""

    def __init__(
        self,
        agent: Agent,
        journal: HistoryDatabase,
        save: Callable[[], None],
        version: str,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._agent, self._journal, self._save, self._version = agent, journal, save, version
        self._patience_seconds = patience_seconds
        self._listens = agent.settings.agent.listens  # a reload changes no port

    def answer(self, request: ControlRequest) -> ControlResponse:
        """Answer one request."""
        try:
            return ControlResponse(TABLE[type(request)](self, request))
        except RequestRefused as error:
            return ControlResponse(error=str(error))
        except HistoryError as error:
            return ControlResponse(error=f"the history cannot be read: {error}")

    def status(self, _: StatusRequest) -> dict[str, Any]:
        """Return the document of `check --format json`, with the operators' words and the agent."""
        return self._owned(self._status)

    def explain(self, request: ExplainRequest) -> dict[str, Any]:
        """Return what was seen of one server last, what it means, and which rule decided."""
        return self._owned(lambda: self._explain(request.server))

    def history(self, request: HistoryRequest) -> dict[str, Any]:
        """Return the latest changes, newest first."""
        changes = self._journal.changes(request.server, request.limit, request.before_epoch)
        if request.server and not changes:
            self._find(request.server)  # a server that is gone has a history, a typo has none
        return {"changes": changes}

    def say(self, request: OverrideRequest) -> dict[str, Any]:
        """Take an operator's word."""
        until = boot_seconds() + request.seconds
        word = Override(request.action, until, request.reason)
        return self._said(request.server, word)

    def unsay(self, request: RemoveOverrideRequest) -> dict[str, Any]:
        """Take an operator's word back."""
        return self._said(request.server, None)

    def _said(self, server: str, word: Override | None) -> dict[str, Any]:
        document = self._owned(lambda: self._override(server, word))
        log.info(
            "override set" if word else "override taken back",
            extra={
                "server": server,
                "will": word.action if word else "",
                "seconds": round(word.until - boot_seconds()) if word else 0,
                "reason": word.reason if word else "",
            },
        )
        try:
            self._save()  # an operator's word that was taken survives whatever comes
        except OSError as error:
            raise RequestRefused(
                f"done, but it is not saved, and keepalived may not see it: {error}"
            ) from error
        return document

    def _owned(self, run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Have the agent's own thread run it; after a refusal it was not run, unless it says so."""
        answer: Future[Any] = self._agent.ask(run)
        wait([answer], self._patience_seconds)
        if answer.cancel():
            raise RequestRefused(BUSY)
        if not wait([answer], self._patience_seconds).done:  # it has begun: no way back
            raise RequestRefused(
                "the agent is busy with just this, and may still do it: ask its status"
            )
        return dict(answer.result())

    def _status(self) -> dict[str, Any]:
        agent = self._agent
        verdicts = [each for pool in agent.pools.values() for each in pool.verdicts.values()]
        health = health_of(agent, self._journal, self._version)
        whole = status_document(verdicts, overrides_of(agent), health, boot_seconds())
        return whole | {"valid_seconds": agent.valid_seconds(), "listens": self._listens}

    def _explain(self, name: str) -> dict[str, Any]:
        pool, server = self._find(name)
        verdict = pool.verdicts.get(server.id)
        past = pool.memory.servers.get(server.id)
        if verdict is None or past is None:
            raise RequestRefused(f"{name} was not looked at yet")
        guarded = _guarded(past, pool.cluster.settle, verdict.held_by, boot_seconds())
        return {
            "server": server.id,
            "uri": server.uri,
            "seen": [
                *map(_observation_document, pool.latest.get(server.id, ())),
                *map(_observation_document, pool.surveyed.get(server.id, {}).values()),
            ],
            "judged": [finding_document(finding) for finding in verdict.findings],
            "guarded": msgspec.to_builtins(guarded),
            "verdict": snapshot_document(Snapshot(epoch_seconds(), (verdict,)))["verdicts"][0],
        }

    def _override(self, name: str, word: Override | None) -> dict[str, Any]:
        pool, server = self._find(name)
        if word is None and server.id not in pool.memory.overrides:
            raise RequestRefused(f"nobody said anything of {server.id}")
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
        if name in self._agent.pools:
            raise RequestRefused(f"{name!r} is a cluster: name one server of it, CLUSTER/SERVER")
        if name not in known:
            raise RequestRefused(f"the agent looks at no {name!r}{suggestion(name, known)}")
        return known[name]


def _guarded(past: ServerMemory, settle: Settle, held_by: str, now: BootSeconds) -> GuardedDocument:
    return GuardedDocument(
        in_service=past.in_service,
        since_seconds=now - past.since,
        good_rounds=past.good,
        bad_rounds=past.bad,
        went_out_lately=len(past.fell),
        weight_share=past.share,
        leaning_rounds=past.leaning,
        leaning_to_share=past.leaning_to if past.leaning else past.share,
        silent_seconds=0.0 if past.silent_since is None else now - past.silent_since,
        settle=settle,
        held_by=held_by,
    )


def _observation_document(observation: AnyObservation) -> dict[str, Any]:
    failure = observation.failure
    return {
        "check": observation.check,
        "duration_seconds": observation.duration_seconds,
        "timings": dict(observation.timings),
        "facts": msgspec.to_builtins(observation.facts, enc_hook=str) if observation.facts else {},
        "failure": msgspec.to_builtins(failure) if failure else None,
    }


TABLE: Mapping[type, Callable[[Answers, Any], dict[str, Any]]] = {
    StatusRequest: Answers.status,
    ExplainRequest: Answers.explain,
    HistoryRequest: Answers.history,
    OverrideRequest: Answers.say,
    RemoveOverrideRequest: Answers.unsay,
}
