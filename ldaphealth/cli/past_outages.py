"""What else is known of each outage in a report: what was seen, and how long operations took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from ldaphealth.cli.options import AgentPlace
from ldaphealth.cli.past_changes import past_times
from ldaphealth.cli.past_explanation import seen_on_servers
from ldaphealth.clocks import EpochSeconds
from ldaphealth.control.requests import TimesRequest

if TYPE_CHECKING:
    from ldaphealth.report.document import OutageDetail
    from ldaphealth.report.outages import ServerOutage

MILLISECOND = 0.001  # to which the history prints moments
MOST_SEEN = 10  # moments that are computed from the journal, each of which takes seconds
BESIDE_SECONDS = 1800.0  # before and after an outage
MINUTE_SECONDS = 60
MOST_COLUMNS = 60  # of a plot
QUANTILE = 0.99


class ReportStage(Struct):
    """What is being read, for the progress line."""

    text: str = "reading the history"

    def __rich__(self) -> str:
        """Return the line; called each time it is drawn."""
        return self.text


def times_request(
    target: str, check: str, since: EpochSeconds, until: EpochSeconds, by_minutes: int
) -> TimesRequest:
    """Return the request for the times of all operations of a check."""
    return TimesRequest(
        server=target,
        check=check,
        operation="",
        since_epoch=since,
        until_epoch=until,
        by_seconds=by_minutes * MINUTE_SECONDS,
        quantile=QUANTILE,
    )


def outage_details(
    place: AgentPlace,
    outages: Sequence[ServerOutage],
    stage: ReportStage,
    *,
    has_observations: bool,
) -> list[tuple[ServerOutage, OutageDetail]]:
    """Return the outages with what else is known of them; click.ClickException: no history."""
    from ldaphealth.report.document import OutageDetail

    seen = _seen(place, outages if has_observations else (), stage)
    stage.text = "reading the times"
    found: list[tuple[ServerOutage, OutageDetail]] = []
    for each in outages:
        what = seen.get((each.server, each.outage.began), "")
        check, times = _times(place, each)
        detail = OutageDetail(
            seen=what if isinstance(what, dict) else None,
            problem=what if isinstance(what, str) else "",
            check=check,
            times=times,
        )
        found.append((each, detail))
    return found


def _seen(
    place: AgentPlace, outages: Sequence[ServerOutage], stage: ReportStage
) -> Mapping[tuple[str, EpochSeconds], dict[str, Any] | str]:
    """Return what was seen when each outage began, by server and moment; a phrase if nothing."""
    moments: dict[tuple[str, EpochSeconds], list[str]] = {}
    for each in outages:
        if each.outage.has_begun and not each.is_ordered:
            cluster = each.server.partition("/")[0]
            moments.setdefault((cluster, each.outage.began), []).append(each.server)
    found: dict[tuple[str, EpochSeconds], dict[str, Any] | str] = {}
    most = min(len(moments), MOST_SEEN)
    for number, ((_, began), servers) in enumerate(moments.items(), 1):
        if number > most:
            skipped = f"only the first {most} are computed; `ldaphealth explain --at` shows it"
            found |= {(each, began): skipped for each in servers}
            continue
        stage.text = f"computing what the agent saw, {number} of {most}"
        for server, what in seen_on_servers(place, servers, began + MILLISECOND).items():
            found[server, began] = what
    return found


def _times(place: AgentPlace, found: ServerOutage) -> tuple[str, dict[str, Any]]:
    """Return the check that removed a server, and its times before, during and after that."""
    outage = found.outage
    checks = [each.partition(".")[0] for each in outage.causes if "." in each]
    if not checks:
        return "", {}
    # The history has minutes: those in which it began and ended belong to it.
    began = outage.began // MINUTE_SECONDS * MINUTE_SECONDS
    ended = ceil(outage.ended / MINUTE_SECONDS) * MINUTE_SECONDS
    first, last = began - BESIDE_SECONDS, ended + BESIDE_SECONDS
    parts = {"before": (first, began), "during": (began, ended), "after": (ended, last)}
    times = {name: _quantile(place, found.server, checks[0], span) for name, span in parts.items()}
    minutes = ceil((last - first) / MINUTE_SECONDS / MOST_COLUMNS)
    around = past_times(place, times_request(found.server, checks[0], first, last, minutes))
    periods = around["servers"][0]["periods"] if around["servers"] else []
    plot = {"by_seconds": around["by_seconds"], "periods": periods}
    return checks[0], times | {"around": plot} if periods else {}


def _quantile(
    place: AgentPlace, server: str, check: str, span: tuple[EpochSeconds, EpochSeconds]
) -> float | None:
    """Return the time that nearly all operations of a period did not exceed; None without any."""
    minutes = ceil((span[1] - span[0]) / MINUTE_SECONDS) or 1
    servers = past_times(place, times_request(server, check, *span, minutes))["servers"]
    return servers[0]["quantile_seconds"] if servers else None
