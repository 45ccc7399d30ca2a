"""What the answers read from the history, within bounds; UnreadableError if that is not possible.

It opens the file for reading only, and the thread that writes it never waits for a reader (WAL).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any

from msgspec import Struct

from ldaphealth.clocks import MonotonicSeconds
from ldaphealth.control.requests import AvailabilityRequest, NumbersRequest, TimesRequest
from ldaphealth.history.availability import ServiceChange
from ldaphealth.history.kept_numbers import BY_KEY
from ldaphealth.history.number_series import NumberSeries
from ldaphealth.history.times_document import OperationTimes
from ldaphealth.page.view_period import PastView
from ldaphealth.store.history_reading import HistoryError, read_changes
from ldaphealth.store.numbers_reading import (
    NumberPeriod,
    NumberPeriods,
    number_query,
    read_numbers,
)
from ldaphealth.store.points_reading import Period, query_of, read_points, servers_with_points
from ldaphealth.store.server_reading import ServerQuery, read_all_numbers, read_operations
from ldaphealth.store.service_history import read_service_changes
from ldaphealth.text.moment import epoch_of
from ldaphealth.text.quantity import quantity
from ldaphealth.web.past_queries import ChangesQuery
from ldaphealth.web.source import BadRequestError, Source, UnreadableError

READ_SECONDS = 10.0  # a response has 30
MOST_PERIODS = 50_000  # of all servers together
MOST_PLOTS = 64  # of operations, and of numbers, of a server
UNREAD = (
    f"Not all plots are shown: at most {MOST_PLOTS} of a kind are, and what is read within "
    f"{READ_SECONDS:.0f} s. For the others choose a shorter period."
)
TOO_LONG = f"not read within {READ_SECONDS:.0f} s; choose a shorter period, or one server"


def changes_of(source: Source, query: ChangesQuery) -> list[dict[str, Any]]:
    """Return the latest changes between two moments, newest first."""
    with _history(source) as path:
        found = read_changes(path, query.server, query.limit, query.before_epoch, has_writer=True)
    refuse_unknown(source, query.server, found)
    return [each for each in found if epoch_of(each["at"]) >= query.since_epoch]


def service_of(
    source: Source, request: AvailabilityRequest
) -> Mapping[str, Sequence[ServiceChange]]:
    """Return the changes of the service of servers."""
    since, until = request.since_epoch, request.until_epoch
    with _history(source) as path:
        return read_service_changes(path, request.server, since, until, has_writer=True)


def times_by_server(source: Source, request: TimesRequest) -> Mapping[str, Sequence[Period]]:
    """Return the times of servers by period; BadRequestError: there are too many."""
    with _history(source) as path:
        servers = _servers(source, path, request)
        return read_points(path, _in_time(servers), query_of(request), has_writer=True)


def numbers_by_server(source: Source, request: NumbersRequest) -> NumberPeriods:
    """Return what a number was on servers by period; BadRequestError: there are too many."""
    query = number_query(BY_KEY[request.number], request)
    found: dict[str, Mapping[str, Sequence[NumberPeriod]]] = {}
    with _history(source) as path:
        for server in _in_time(_servers(source, path, request)):
            found |= read_numbers(path, server, query, has_writer=True)
    return found


def _servers(source: Source, path: Path, request: TimesRequest | NumbersRequest) -> list[str]:
    """Return the servers that a request is of."""
    servers = servers_with_points(path, request.server, has_writer=True)
    refuse_unknown(source, request.server, servers)
    periods = (request.until_epoch - request.since_epoch) / request.by_seconds
    if len(servers) * periods > MOST_PERIODS:
        raise BadRequestError(
            f"{quantity(len(servers), 'server')} with more than {MOST_PERIODS} periods "
            "together: choose a longer `by`, a later `since`, or one server"
        )
    return servers


class MeasuredServer(Struct, frozen=True):
    """What was measured on a server; `unread` says that there is more, or is empty."""

    times: Sequence[OperationTimes]
    numbers: Sequence[NumberSeries]
    unread: str


def measured_on(source: Source, server: str, view: PastView) -> MeasuredServer:
    """Return the times of all operations of a server, and its numbers."""
    query = ServerQuery(view.begin, view.end, view.period.by_seconds)
    go_on = _clock_until(monotonic() + READ_SECONDS)
    with _history(source) as path:
        times = [*islice(read_operations(path, server, query, go_on=go_on), MOST_PLOTS + 1)]
        numbers = [*islice(read_all_numbers(path, server, query, go_on=go_on), MOST_PLOTS + 1)]
    has_more = max(len(times), len(numbers)) > MOST_PLOTS or not go_on()
    return MeasuredServer(times[:MOST_PLOTS], numbers[:MOST_PLOTS], UNREAD if has_more else "")


def refuse_unknown(source: Source, target: str, found: Sized) -> None:
    """Raise UnknownNameError for a name of which nothing was found, unless it is configured.

    A removed server has a history, a mistyped name has none.
    """
    if found or not target:
        return
    cluster, slash, name = target.partition("/")
    if slash:
        source.server(cluster, name)
    else:
        source.cluster(cluster)


@contextmanager
def _history(source: Source) -> Iterator[Path]:
    if source.history is None:
        raise UnreadableError("this agent keeps no history")
    try:
        yield source.history
    except HistoryError as error:
        raise UnreadableError(f"the history cannot be read: {error}") from error


def _in_time(servers: Iterable[str]) -> Iterator[str]:
    go_on = _clock_until(monotonic() + READ_SECONDS)
    for each in servers:
        if not go_on():
            raise UnreadableError(f"the history was {TOO_LONG}")
        yield each


def _clock_until(deadline: MonotonicSeconds) -> Callable[[], bool]:
    return lambda: monotonic() < deadline
