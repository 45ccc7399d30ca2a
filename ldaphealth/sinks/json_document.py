"""The snapshot as one JSON document, versioned.

For programs; docs/json.md explains the keys, docs/snapshot.schema.json is their schema.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from math import isfinite, nan
from typing import Any

from msgspec import ValidationError, convert

from ldaphealth.clocks import EpochSeconds
from ldaphealth.model import CheckEffect, Finding, Metric, Reason, Snapshot, State, Trust, Verdict
from ldaphealth.sinks import SinkOptions, SinkOutput, exit_status
from ldaphealth.text.printable import printable

VERSION = 1  # changes when a key changes its meaning or goes away, not when one is added


def render(snapshot: Snapshot, _: SinkOptions) -> SinkOutput:
    """Format the snapshot; numbers are in the unit that ends their name, weights have none.

    Times are RFC 3339 in UTC. RFC 8259 knows no NaN and no Infinity: such a value becomes null.
    """
    return SinkOutput(
        json.dumps(snapshot_document(snapshot), indent=2, allow_nan=False), exit_status(snapshot)
    )


def snapshot_document(snapshot: Snapshot) -> dict[str, Any]:
    """Return the document before it is text."""
    return {
        "version": VERSION,
        "taken_at": rfc3339(snapshot.taken_at),
        "verdicts": [verdict_document(verdict) for verdict in snapshot.verdicts],
    }


def snapshot_of(document: Mapping[str, Any]) -> Snapshot:
    """Return the snapshot that a document tells; ValueError when it is none.

    The way back of `snapshot_document`, for those who ask the agent.
    """
    try:
        verdicts = [_verdict_values(each) for each in document["verdicts"]]
        taken_at = datetime.fromisoformat(document["taken_at"]).timestamp()
        return convert({"taken_at": taken_at, "verdicts": verdicts}, Snapshot)
    except (LookupError, TypeError, ValidationError) as error:
        raise ValueError(f"no document of verdicts: {error}") from error


def _verdict_values(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return a verdict as msgspec takes it: enumerations by value, findings with their server.

    An older agent wrote neither `removes` nor `plain`: they follow from what it did write.
    """
    findings = [
        _with_state(each)
        | {"server": told["server"], "metrics": [_metric_values(m) for m in each["metrics"]]}
        for each in told["findings"]
    ]
    reasons = [
        {"removes": _removes(each, told["findings"])} | _with_state(each)
        for each in told["reasons"]
    ]
    plain = not any(each["removes"] for each in reasons)
    return {"plain": plain} | _with_state(told) | {"findings": findings, "reasons": reasons}


def _removes(reason: Mapping[str, Any], findings: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether a reason of an older document removes its server, by what else is there."""
    trusts = [
        Trust(each["trust"])
        for each in findings
        if f"{each['check']}.{each['code']}" == reason["code"] and each["state"] == reason["state"]
    ]
    is_trusted = not trusts or any(trust.can_remove for trust in trusts)
    is_bad = State[reason["state"]] is State.CRITICAL
    return is_bad and is_trusted and reason["effect"] == CheckEffect.OUT


def _with_state(told: Mapping[str, Any]) -> dict[str, Any]:
    return {**told, "state": State[told["state"]].value}


def _metric_values(told: Mapping[str, Any]) -> dict[str, Any]:
    return {**told, "value": nan if told["value"] is None else told["value"]}


def rfc3339(epoch_seconds: EpochSeconds) -> str:
    """Return a moment in UTC, to the millisecond."""
    text = datetime.fromtimestamp(epoch_seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def verdict_document(verdict: Verdict) -> dict[str, object]:
    """Return one verdict as the document has it."""
    return {
        "server": printable(verdict.server),
        "state": verdict.state.name,
        "in_service": verdict.in_service,
        "weight": verdict.weight,
        "draining": verdict.draining,
        "lasted_seconds": verdict.lasted_seconds,
        "held_by": printable(verdict.held_by),
        "plain": verdict.plain,
        "reasons": [_reason(reason) for reason in verdict.reasons],
        "findings": [finding_document(finding) for finding in verdict.findings],
    }


def _reason(reason: Reason) -> dict[str, object]:
    return {
        "code": printable(reason.code),
        "summary": printable(reason.summary),
        "state": reason.state.name,
        "effect": reason.effect.value,
        "removes": reason.removes,
    }


def finding_document(finding: Finding) -> dict[str, object]:
    """Return one finding as the document has it."""
    return {
        "check": printable(finding.check),
        "code": printable(finding.code),
        "state": finding.state.name,
        "trust": finding.trust.value,
        "summary": printable(finding.summary),
        "metrics": [_metric(metric) for metric in finding.metrics],
    }


def _metric(metric: Metric) -> dict[str, object]:
    return {
        "name": printable(metric.name),
        "label": printable(metric.label),
        "value": metric.value if isfinite(metric.value) else None,
        "warning": printable(metric.warning),
        "critical": printable(metric.critical),
    }
