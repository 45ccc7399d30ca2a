"""The snapshot as one versioned JSON document, for programs.

docs/json.md explains the keys; docs/snapshot.schema.json is the schema.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from math import isfinite, nan
from typing import Any

from msgspec import ValidationError, convert

from ldaphealth.clocks import EpochSeconds
from ldaphealth.guard import held_words
from ldaphealth.model import (
    CheckEffect,
    Finding,
    Metric,
    OverrideNote,
    Reason,
    Snapshot,
    State,
    Trust,
    Verdict,
)
from ldaphealth.sinks import SinkOptions, SinkOutput, exit_status
from ldaphealth.text.command_template import LONGEST_REMEDY
from ldaphealth.text.moment import epoch_of, moment
from ldaphealth.text.printable import printable

VERSION = 1  # changes when a key changes its meaning or is removed, not when one is added


def render(snapshot: Snapshot, _: SinkOptions) -> SinkOutput:
    """Format the snapshot; the name of a number ends in its unit, except for a weight.

    Times are RFC 3339 in UTC. RFC 8259 permits neither NaN nor Infinity: such a value becomes null.
    """
    return SinkOutput(
        json.dumps(snapshot_document(snapshot), indent=2, allow_nan=False), exit_status(snapshot)
    )


def snapshot_document(snapshot: Snapshot) -> dict[str, Any]:
    """Return the document as a dictionary."""
    return {
        "version": VERSION,
        "taken_at": rfc3339(snapshot.taken_at),
        "verdicts": [verdict_document(verdict) for verdict in snapshot.verdicts],
    }


def snapshot_of(document: Mapping[str, Any]) -> Snapshot:
    """Return the snapshot of a document; ValueError if it is not valid.

    The inverse of `snapshot_document`, for clients of the agent.
    """
    try:
        verdicts = [_verdict_values(each) for each in document["verdicts"]]
        taken_at = epoch_of(document["taken_at"])
        return convert({"taken_at": taken_at, "verdicts": verdicts}, Snapshot)
    except (LookupError, TypeError, ValidationError) as error:
        raise ValueError(f"not a document of verdicts: {error}") from error


def verdict_of(document: Mapping[str, Any]) -> Verdict:
    """Return the verdict of a document; ValueError if it is not valid."""
    try:
        return convert(_verdict_values(document), Verdict)
    except (LookupError, TypeError, ValidationError) as error:
        raise ValueError(f"not a verdict: {error}") from error


def _verdict_values(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a verdict as msgspec expects it: enumerations by value, findings with their server.

    An older agent wrote neither `removes` nor `plain`: they are derived from the other keys.
    """
    findings = [
        _with_state(each)
        | {"server": document["server"], "metrics": [_metric_values(m) for m in each["metrics"]]}
        for each in document["findings"]
    ]
    reasons = [
        {"removes": _removes(each, document["findings"])} | _with_state(each)
        for each in document["reasons"]
    ]
    plain = not any(each["removes"] for each in reasons)
    override = override_note(found) if (found := document.get("override_in_force")) else None
    return (
        {"plain": plain}
        | _with_state(document)
        | {
            "findings": findings,
            "reasons": reasons,
            "override_in_force": override,
            "remedies": {
                each["code"]: each["remedy"] for each in document["reasons"] if each.get("remedy")
            },
        }
    )


def _removes(reason: Mapping[str, Any], findings: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether a reason of an older document removes its server, from the other keys."""
    trusts = [
        Trust(each["trust"])
        for each in findings
        if f"{each['check']}.{each['code']}" == reason["code"] and each["state"] == reason["state"]
    ]
    is_trusted = not trusts or any(trust.can_remove for trust in trusts)
    is_bad = State[reason["state"]] is State.CRITICAL
    return is_bad and is_trusted and reason["effect"] == CheckEffect.OUT


def _with_state(document: Mapping[str, Any]) -> dict[str, Any]:
    return {**document, "state": State[document["state"]].value}


def _metric_values(document: Mapping[str, Any]) -> dict[str, Any]:
    return {**document, "value": nan if document["value"] is None else document["value"]}


def rfc3339(epoch_seconds: EpochSeconds) -> str:
    """Return a time in UTC, to the millisecond."""
    return moment(epoch_seconds, "milliseconds")


def verdict_document(verdict: Verdict) -> dict[str, object]:
    """Return one verdict as in the document."""
    return {
        "server": printable(verdict.server),
        "state": verdict.state.name,
        "in_service": verdict.in_service,
        "weight": verdict.weight,
        "draining": verdict.draining,
        "lasted_seconds": verdict.lasted_seconds,
        "held_by": printable(verdict.held_by),
        "held": held_words(printable(verdict.held_by), in_service=verdict.in_service),
        "plain": verdict.plain,
        "override_in_force": override_document(verdict.override) if verdict.override else None,
        "reasons": [reason_document(reason, verdict.remedies) for reason in verdict.reasons],
        "findings": [finding_document(finding) for finding in verdict.findings],
    }


def override_document(note: OverrideNote) -> dict[str, Any]:
    """Return what people need to know of an override, as in the document."""
    return {
        "action": note.action,
        "by": printable(note.by),
        "reason": printable(note.reason),
        "until": None if note.until_epoch is None else rfc3339(note.until_epoch),
    }


def override_note(document: Mapping[str, Any]) -> OverrideNote:
    """Return the override of a document; LookupError, TypeError or ValueError if it is none."""
    until = document["until"]
    return OverrideNote(
        action=document["action"],
        by=document["by"],
        reason=document["reason"],
        until_epoch=None if until is None else epoch_of(until),
    )


def reason_document(reason: Reason, remedies: Mapping[str, str]) -> dict[str, object]:
    """Return one reason as in the document; `remedies` are by its code."""
    return {
        "code": printable(reason.code),
        "summary": printable(reason.summary),
        "state": reason.state.name,
        "effect": reason.effect.value,
        "removes": reason.removes,
        "remedy": printable(remedies.get(reason.code, ""), LONGEST_REMEDY),
    }


def finding_document(finding: Finding) -> dict[str, object]:
    """Return one finding as in the document."""
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
