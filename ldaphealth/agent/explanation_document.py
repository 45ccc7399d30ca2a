"""Why a server is in or out of service, as a document: for `explain`, of now or of the past.

The agent answers with it, and cli/past_explanation.py makes it of the journal. Pure.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from ldaphealth.agent.pool import Pool
from ldaphealth.clocks import BootSeconds, EpochSeconds, MonotonicSeconds
from ldaphealth.control.explanation import GuardedDocument
from ldaphealth.guard import ServerMemory, holding
from ldaphealth.model import AnyObservation, Finding, Server, Snapshot, Verdict
from ldaphealth.settings import Settle
from ldaphealth.sinks.json_document import finding_document, override_document, snapshot_document


class Now(Struct, frozen=True, kw_only=True):
    """The moment that is explained, on three clocks."""

    boot: BootSeconds
    monotonic: MonotonicSeconds
    epoch: EpochSeconds


def explanation_document(pool: Pool, server: Server, now: Now) -> dict[str, Any] | None:
    """Return the latest observations of a server, the findings, the memory and the verdict.

    None: it was not probed yet.
    """
    verdict, past = pool.verdicts.get(server.id), pool.memory.servers.get(server.id)
    if verdict is None or past is None:
        return None
    guarded = _guarded(past, pool.cluster.settle, verdict.held_by, now.boot)
    seen = (*pool.latest.get(server.id, ()), *pool.surveyed.get(server.id, {}).values())
    return {
        "server": server.id,
        "uri": server.uri,
        "seen": [_observation_document(each, now.monotonic) for each in seen],
        "judged": [_judged_document(each, verdict) for each in verdict.findings],
        "guarded": msgspec.to_builtins(guarded),
        "held": _held_document(pool, verdict, past, now.boot),
        "verdict": snapshot_document(Snapshot(now.epoch, (verdict,)))["verdicts"][0],
    }


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
        failing_checks=past.failing,
        silent_seconds=0.0 if past.silent_since is None else now - past.silent_since,
        settle=settle,
        held_by=held_by,
    )


def _judged_document(finding: Finding, verdict: Verdict) -> dict[str, object]:
    """Return a finding with what to do about it and its effect, which are empty if it is OK."""
    effects = {each.code: each.effect.value for each in verdict.reasons}
    return finding_document(finding) | {
        "remedy": verdict.remedies.get(finding.reason, ""),
        "effect": effects.get(finding.reason, ""),
    }


def _held_document(
    pool: Pool, verdict: Verdict, past: ServerMemory, now: BootSeconds
) -> dict[str, Any] | None:
    """Return the rule that holds the server, why, until when, and the override if it is that."""
    override = pool.memory.overrides.get(verdict.server)
    held = holding(verdict, past, override, pool.cluster, now)
    if held is None:
        return None
    note = verdict.override
    return {
        "rule": held.rule,
        "why": held.why,
        "until": held.until,
        "override_in_force": override_document(note) if note else None,
    }


def _observation_document(observation: AnyObservation, now: MonotonicSeconds) -> dict[str, Any]:
    failure = observation.failure
    return {
        "check": observation.check,
        "age_seconds": max(0.0, now - observation.ended_at),
        "duration_seconds": observation.duration_seconds,
        "timings": dict(observation.timings),
        "facts": msgspec.to_builtins(observation.facts, enc_hook=str) if observation.facts else {},
        "failure": msgspec.to_builtins(failure) if failure else None,
    }
