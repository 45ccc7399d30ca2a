"""The answers below `/api/v1/history/`: the documents of `ldaphealth history --format json`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from ldaphealth.clocks import EpochSeconds, epoch_seconds
from ldaphealth.history.availability_document import availability_document, of_target
from ldaphealth.history.kept_numbers import BY_KEY
from ldaphealth.history.numbers_document import numbers_document
from ldaphealth.history.times_document import times_document
from ldaphealth.web import past
from ldaphealth.web.past_queries import (
    availability_query,
    changes_query,
    numbers_query,
    times_query,
)
from ldaphealth.web.source import BadRequestError, Source, UnknownNameError

MOST_BYTES = 16 << 20  # as of an answer to a command


def answer(source: Source, request: Request) -> Response:
    """Return a document of the table."""
    kind = request.path_params["kind"]
    if kind not in TABLE:
        raise UnknownNameError(f"no such document; there are {', '.join(TABLE)}")
    document = TABLE[kind](source, request.query_params, epoch_seconds())
    body = msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
    if len(body) > MOST_BYTES:
        raise BadRequestError(
            f"the answer has more than {MOST_BYTES >> 20} MiB: choose a shorter period, "
            "or one server"
        )
    return Response(body, media_type="application/json")


def _changes(source: Source, params: QueryParams, now: EpochSeconds) -> Any:
    """Return the latest changes, newest first."""
    return past.changes_of(source, changes_query(params, now))


def _availability(source: Source, params: QueryParams, now: EpochSeconds) -> Any:
    """Return how long servers and clusters were in service."""
    query = availability_query(params, now)
    found = past.service_of(source, query)
    past.refuse_unknown(source, query.server, found)
    least = {name: each.min_in_service for name, each in source.settings().clusters.items()}
    least = dict(of_target(least, query.server))
    return availability_document(found, least, query.since_epoch, query.until_epoch)


def _times(source: Source, params: QueryParams, now: EpochSeconds) -> Any:
    """Return how long the operations of a check took."""
    query = times_query(params, now)
    return times_document(query, past.times_by_server(source, query))


def _numbers(source: Source, params: QueryParams, now: EpochSeconds) -> Any:
    """Return what a number was."""
    query = numbers_query(params, now)
    return numbers_document(query, BY_KEY[query.number], past.numbers_by_server(source, query))


TABLE: Mapping[str, Callable[[Source, QueryParams, EpochSeconds], Any]] = {
    "changes": _changes,
    "availability": _availability,
    "times": _times,
    "numbers": _numbers,
}
