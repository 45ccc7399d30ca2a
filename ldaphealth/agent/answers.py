"""The answers to the requests of control/requests.py: one method for each, in one literal table.

control/server.py calls `Answers.answer` in the thread of a client. A method that uses the state of
the agent runs in the agent's thread.
"""

from __future__ import annotations

import logging
import shlex
from collections.abc import Callable, Mapping, Sized
from concurrent.futures import Future, wait
from pathlib import Path
from time import monotonic
from typing import Any

from ldaphealth.agent.agent import Agent
from ldaphealth.agent.explanation_document import Now, explanation_document
from ldaphealth.agent.incident_answers import IncidentAnswers
from ldaphealth.agent.journal import Journal
from ldaphealth.agent.pool import Pool
from ldaphealth.agent.reload import Reload
from ldaphealth.agent.roles import role_of
from ldaphealth.agent.shadow_explanation import shadow_explanation
from ldaphealth.agent.shadows import Shadows
from ldaphealth.agent.status import health_of, overrides_of
from ldaphealth.clocks import boot_seconds, epoch_seconds
from ldaphealth.control.requests import (
    AddIncidentRequest,
    AvailabilityRequest,
    BaselineRequest,
    ControlRequest,
    ControlResponse,
    EndIncidentRequest,
    ExplainRequest,
    HistoryRequest,
    IncidentsRequest,
    NumbersRequest,
    OverrideRequest,
    ReloadRequest,
    RemoveIncidentRequest,
    RemoveOverrideRequest,
    StatusRequest,
    TimesRequest,
)
from ldaphealth.guard import Override
from ldaphealth.history.availability_document import availability_document, of_target
from ldaphealth.history.kept_numbers import BY_KEY, unknown_number
from ldaphealth.history.numbers_document import numbers_document
from ldaphealth.history.times_document import times_document
from ldaphealth.live.broken_floor import broken_floors
from ldaphealth.live.status_document import status_document
from ldaphealth.model import Server
from ldaphealth.sinks.json_document import override_document
from ldaphealth.store.change_document import baseline_document
from ldaphealth.store.history import HistoryDatabase
from ldaphealth.store.history_reading import HistoryError
from ldaphealth.store.incident_file import IncidentError
from ldaphealth.text.override_words import override_words
from ldaphealth.text.suggestion import suggestion

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 4.0
NO_RELOAD = Reload(Path(), lambda: False)
BUSY = "the agent is busy; nothing was done; try again"


class RequestRefused(Exception):  # noqa: N818  an answer to the client, no error of the agent
    """A request is refused. The message is one line with the reason."""


class Answers:
    """The answers of one agent."""

    def __init__(  # noqa: PLR0913  tests replace some of them
        self,
        agent: Agent,
        history: HistoryDatabase,
        save: Callable[[], None],
        version: str,
        *,
        journal: Journal | None = None,
        listens: Mapping[str, str] = {},
        shadows: Shadows | None = None,
        save_observations: Callable[[], None] = lambda: None,
        reload: Reload = NO_RELOAD,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._agent, self._history, self._save, self._version = agent, history, save, version
        self._save_observations, self._journal = save_observations, journal
        self._reload, self._timeout_seconds = reload, timeout_seconds
        self._shadows = shadows or Shadows()
        self._listens = listens  # a reload changes none
        self.incidents = IncidentAnswers(
            agent.settings.agent.state_directory,
            lambda target: self._refuse_unknown(target, history.changes(target, 1, None)),
        )

    def answer(self, request: ControlRequest) -> ControlResponse:
        """Answer one request."""
        try:
            return ControlResponse(TABLE[type(request)](self, request))
        except (RequestRefused, IncidentError) as error:
            return ControlResponse(error=str(error))
        except HistoryError as error:
            return ControlResponse(error=f"the history cannot be read: {error}")

    def status(self, _: StatusRequest) -> dict[str, Any]:
        """Return the document of `check --format json`, with the overrides and the agent."""
        return self._in_agent(self._status)

    def explain(self, request: ExplainRequest) -> dict[str, Any]:
        """Return the latest observations of one server, the findings, the memory, the verdict."""
        return self._in_agent(
            lambda: self._explain(request.server) | {"shadow": self._shadow(request.server)}
        )

    def history(self, request: HistoryRequest) -> dict[str, Any]:
        """Return the latest changes, newest first."""
        changes = self._history.changes(request.server, request.limit, request.before_epoch)
        self._refuse_unknown(request.server, changes)
        return {"changes": changes}

    def availability(self, request: AvailabilityRequest) -> dict[str, Any]:
        """Return how long servers and clusters were in service."""
        pools = {**self._agent.pools}
        since, until = request.since_epoch, request.until_epoch
        changes = self._history.service_changes(request.server, since, until)
        self._refuse_unknown(request.server, changes)
        least = {name: pool.cluster.min_in_service for name, pool in pools.items()}
        return availability_document(changes, of_target(least, request.server), since, until)

    def times(self, request: TimesRequest) -> dict[str, Any]:
        """Return how long the operations of a check took."""
        periods = self._history.times(request)
        self._refuse_unknown(request.server, periods)
        return times_document(request, periods)

    def numbers(self, request: NumbersRequest) -> dict[str, Any]:
        """Return what a number was."""
        kept = BY_KEY.get(request.number)
        if kept is None:
            raise RequestRefused(unknown_number(request.number))
        periods = self._history.numbers(kept, request)
        self._refuse_unknown(request.server, periods)
        return numbers_document(request, kept, periods)

    def _refuse_unknown(self, target: str, found: Sized) -> None:
        """Refuse a name of which nothing was found, unless it is configured.

        A removed server has a history, a mistyped name has none.
        """
        if target not in ("", *self._agent.pools) and not found:
            self._find(target)

    def set_override(self, request: OverrideRequest) -> dict[str, Any]:
        """Set an override on one server."""
        override = Override(
            request.action,
            boot_seconds() + request.seconds,
            request.reason,
            request.by,
            epoch_seconds() + request.seconds,
        )
        return self._change_override(request, override, force=request.force)

    def remove_override(self, request: RemoveOverrideRequest) -> dict[str, Any]:
        """Remove the override on one server."""
        return self._change_override(request, None)

    def accept_baseline(self, request: BaselineRequest) -> dict[str, Any]:
        """Accept at once that the servers of a cluster went back to an older state."""
        document = self._in_agent(lambda: self._accept_baseline(request.cluster))
        try:
            self._save_observations()  # it survives a crash of the agent
        except OSError as error:
            raise RequestRefused(f"done, but it is not saved: {error}") from error
        return document

    def reload(self, request: ReloadRequest) -> dict[str, Any]:
        """Read the configuration again. If it has a mistake, the old one is kept."""
        path = self._reload.path.resolve()
        if Path(request.file) != path:
            command = f"ldaphealth reload --config {shlex.quote(str(path))}"
            raise RequestRefused(f"the agent reads another file: `{command}`")
        log.info("reload requested", extra={"by": request.by})
        return {"file": str(path), **self._in_agent(self._reloaded)}

    def _reloaded(self) -> dict[str, Any]:
        needs_restart = self._reload.run()
        if failure := self._agent.reload_failure:
            raise RequestRefused(failure)
        return {"needs_restart": needs_restart}

    def _change_override(
        self,
        request: OverrideRequest | RemoveOverrideRequest,
        override: Override | None,
        *,
        force: bool = True,
    ) -> dict[str, Any]:
        document = self._in_agent(lambda: self._override(request, override, force=force))
        log.info(
            "override set" if override else "override removed",
            extra={
                "server": request.server,
                "by": request.by,
                "override_in_force": override_words(override_document(override.note))
                if override
                else "",
            },
        )
        try:
            self._save()  # an accepted override survives a crash of the agent
        except OSError as error:
            raise RequestRefused(
                f"done, but it is not saved, and keepalived may not see it: {error}"
            ) from error
        return document

    def _in_agent(self, run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return the result of `run`, which the agent's thread calls.

        RequestRefused: `run` was not called, unless the message states that it may still be done.
        """
        answer: Future[Any] = self._agent.submit(run)
        wait([answer], self._timeout_seconds)
        if answer.cancel():
            raise RequestRefused(BUSY)
        if not wait([answer], self._timeout_seconds).done:  # it has begun: it cannot be cancelled
            raise RequestRefused(
                "the agent is busy with this request and may still complete it; check its status"
            )
        return dict(answer.result())

    def _status(self) -> dict[str, Any]:
        agent = self._agent
        verdicts = [each for pool in agent.pools.values() for each in pool.verdicts.values()]
        health = health_of(agent, self._history, self._version, self._journal)
        valid_seconds = agent.valid_seconds()
        valid = {each.server: each for each in verdicts if valid_seconds.get(each.server, 0.0) > 0}
        floors = broken_floors(agent.settings.clusters.values(), valid)
        shadows = self._shadows.verdicts().values()
        whole = status_document(
            verdicts, overrides_of(agent), health, boot_seconds(), floors, shadows=shadows
        )
        return whole | {
            "valid_seconds": valid_seconds,
            "listens": self._listens,
            "roles": {
                server.id: role_of(server, pool.latest.get(server.id, ())).value
                for pool in agent.pools.values()
                for server in pool.cluster.servers
            },
        }

    def _explain(self, name: str) -> dict[str, Any]:
        pool, server = self._find(name)
        now = Now(boot=boot_seconds(), monotonic=monotonic(), epoch=epoch_seconds())
        document = explanation_document(pool, server, now)
        if document is None:
            raise RequestRefused(f"{name} was not probed yet")
        return document

    def _shadow(self, name: str) -> dict[str, Any] | None:
        pool, server = self._find(name)
        shadow = self._shadows.of(pool.cluster.name)
        return None if shadow is None else shadow_explanation(shadow, pool.verdicts[server.id])

    def _override(
        self,
        request: OverrideRequest | RemoveOverrideRequest,
        override: Override | None,
        *,
        force: bool,
    ) -> dict[str, Any]:
        pool, server = self._find(request.server)
        if override and override.action != "in" and not force and pool.is_last(server.id):
            raise RequestRefused(
                f"{server.id} is the last server in service of its cluster; --force does it anyway"
            )
        if override is None and server.id not in pool.memory.overrides:
            raise RequestRefused(f"there is no override on {server.id}")
        pool.override(server.id, override, request.by)
        self._agent.decide(pool)
        verdict = pool.verdicts.get(server.id)
        floors = (each.summary for each in broken_floors([pool.cluster], pool.verdicts))
        return {
            "server": server.id,
            "in_service": verdict.in_service if verdict else None,
            "broken_floor": next(floors, ""),
        }

    def _accept_baseline(self, name: str) -> dict[str, Any]:
        pools = self._agent.pools
        cluster, _, server = name.partition("/")
        if server and cluster in pools:
            raise RequestRefused(f"{name!r} is a server: name its cluster, {cluster}")
        if name not in pools:
            raise RequestRefused(f"the agent has no cluster {name!r}{suggestion(name, pools)}")
        accepted = pools[name].accept_baselines()
        if not accepted:
            raise RequestRefused(
                f"nothing to accept in {name}: no server lacks changes that it had, or another "
                f"server still has them; `ldaphealth explain {name}/SERVER` shows which"
            )
        self._agent.decide(pools[name])
        return {"cluster": name, "baselines": [baseline_document(each) for each in accepted]}

    def _find(self, name: str) -> tuple[Pool, Server]:
        known = {
            server.id: (pool, server)
            for pool in self._agent.pools.values()
            for server in pool.cluster.servers
        }
        if name in self._agent.pools:
            raise RequestRefused(f"{name!r} is a cluster: name one server of it, CLUSTER/SERVER")
        if name not in known:
            raise RequestRefused(f"the agent has no server {name!r}{suggestion(name, known)}")
        return known[name]


TABLE: Mapping[type, Callable[[Answers, Any], dict[str, Any]]] = {
    StatusRequest: Answers.status,
    ExplainRequest: Answers.explain,
    HistoryRequest: Answers.history,
    AvailabilityRequest: Answers.availability,
    TimesRequest: Answers.times,
    NumbersRequest: Answers.numbers,
    IncidentsRequest: lambda own, request: own.incidents.read(request),
    AddIncidentRequest: lambda own, request: own.incidents.add(request),
    EndIncidentRequest: lambda own, request: own.incidents.end(request),
    RemoveIncidentRequest: lambda own, request: own.incidents.remove(request),
    OverrideRequest: Answers.set_override,
    RemoveOverrideRequest: Answers.remove_override,
    BaselineRequest: Answers.accept_baseline,
    ReloadRequest: Answers.reload,
}
