"""The changes of verdicts in a period, read from the history for `ldaphealth.history`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from ldaphealth.clocks import EpochSeconds
from ldaphealth.history.availability import OPERATOR, ServiceChange
from ldaphealth.store.history_reading import OF_TARGET, HistoryError, reading

OF_SERVERS = f"{OF_TARGET} AND instr(server, '/') > 0"  # the others are baselines of clusters
# In the order in which they were written, which is that of the decisions.
IN_PERIOD = (
    f"SELECT epoch, document FROM change WHERE {OF_SERVERS} "  # noqa: S608
    "AND epoch BETWEEN ?2 AND ?3 ORDER BY id"
)
LAST_BEFORE = (
    f"SELECT epoch, document FROM change WHERE id IN (SELECT max(id) FROM change "  # noqa: S608
    f"WHERE {OF_SERVERS} AND epoch < ?2 GROUP BY server)"
)


class _Reason(Struct):
    code: str
    removes: bool = False


class _Verdict(Struct):
    server: str
    in_service: bool
    reasons: Sequence[_Reason] = ()
    override_in_force: Mapping[str, object] | None = None


class _Change(Struct):
    verdict: _Verdict


def read_service_changes(
    path: Path,
    target: str,
    since: EpochSeconds,
    until: EpochSeconds,
    *,
    has_writer: bool = False,
) -> Mapping[str, list[ServiceChange]]:
    """Return by server the changes of a period, and the last one before it; HistoryError.

    `target` is a server ID or a cluster, or empty: of all.
    """
    decoder = msgspec.json.Decoder(_Change)
    by_server: dict[str, list[ServiceChange]] = {}
    with reading(path, has_writer=has_writer) as connection:
        rows = connection.execute(LAST_BEFORE, (target, since)).fetchall()
        rows += connection.execute(IN_PERIOD, (target, since, until)).fetchall()
    try:
        for epoch, document in rows:
            verdict = decoder.decode(document).verdict
            by_server.setdefault(verdict.server, []).append(_service_change(epoch, verdict))
    except ValueError as error:
        raise HistoryError(f"{path}: {error}") from error
    return by_server


def service_change(epoch: EpochSeconds, document: Mapping[str, Any]) -> ServiceChange:
    """Return whether a change of the history left its server in service, and the causes if not."""
    return _service_change(epoch, msgspec.convert(document, _Change).verdict)


def _service_change(epoch: EpochSeconds, verdict: _Verdict) -> ServiceChange:
    if verdict.in_service:
        return ServiceChange(epoch, True)
    if verdict.override_in_force is not None:
        return ServiceChange(epoch, False, (OPERATOR,))
    removing = {each.code for each in verdict.reasons if each.removes}
    return ServiceChange(epoch, False, tuple(sorted(removing)))
