"""The parameters of the paths that read the history. BadRequestError: one is not valid."""

from __future__ import annotations

from collections.abc import Collection
from math import isfinite

from starlette.datastructures import QueryParams

from ldaphealth.clocks import EpochSeconds
from ldaphealth.control.requests import (
    AvailabilityRequest,
    HistoryRequest,
    NumbersRequest,
    TimesRequest,
)
from ldaphealth.history.kept_numbers import BY_KEY, unknown_number
from ldaphealth.history.periods import BY_SECONDS, MOST_PERIODS, usual_by
from ldaphealth.page.view_period import USUAL_PERIOD, VIEW_PERIODS, PastView
from ldaphealth.text.moment import epoch_in, moment
from ldaphealth.web.source import BadRequestError

USUAL_SINCE = "30d"
BEGINNING = "1970-01-01"
USUAL_LIMIT, MOST_CHANGES = 20, 1000
USUAL_QUANTILE = 0.99
LONGEST_VALUE = 200  # of a parameter: no valid one is longer

TIME = ("target", "since", "until")
CHANGES = (*TIME, "limit")
TIMES = (*TIME, "check", "quantile", "by")
NUMBERS = (*TIME, "number", "by")


class ChangesQuery(HistoryRequest, frozen=True, tag="changes"):
    """The latest changes between two moments."""

    since_epoch: EpochSeconds = 0.0


def changes_query(params: QueryParams, now: EpochSeconds) -> ChangesQuery:
    """Return which changes are wanted: without `since`, all that the history has."""
    _refuse_others(params, CHANGES)
    since, until = _between(params, now, usual_since=BEGINNING)
    limit = params.get("limit", str(USUAL_LIMIT))
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit) <= MOST_CHANGES):
        raise BadRequestError(f"limit must be a number from 1 to {MOST_CHANGES}")
    return ChangesQuery(params.get("target", ""), int(limit), until, since)


def availability_query(params: QueryParams, now: EpochSeconds) -> AvailabilityRequest:
    """Return of what the availability is wanted."""
    _refuse_others(params, TIME)
    since, until = _between(params, now)
    return AvailabilityRequest(params.get("target", ""), since, until)


def times_query(params: QueryParams, now: EpochSeconds) -> TimesRequest:
    """Return which times are wanted."""
    _refuse_others(params, TIMES)
    since, until = _between(params, now)
    by_seconds = _by_seconds(params, until - since)
    check, _, operation = params.get("check", "").partition(".")
    if not check:
        raise BadRequestError("check is missing, such as ?check=search or ?check=bind.bind")
    return TimesRequest(
        server=params.get("target", ""),
        check=check,
        operation=operation,
        since_epoch=since,
        until_epoch=until,
        by_seconds=by_seconds,
        quantile=_share(params.get("quantile", str(USUAL_QUANTILE))),
    )


def numbers_query(params: QueryParams, now: EpochSeconds) -> NumbersRequest:
    """Return which number is wanted."""
    _refuse_others(params, NUMBERS)
    since, until = _between(params, now)
    number = params.get("number", "")
    if number not in BY_KEY:
        example = "number is missing, such as ?number=replication.behind_seconds"
        raise BadRequestError(unknown_number(number) if number else example)
    return NumbersRequest(
        server=params.get("target", ""),
        number=number,
        since_epoch=since,
        until_epoch=until,
        by_seconds=_by_seconds(params, until - since),
    )


def view_query(params: QueryParams, now: EpochSeconds) -> PastView:
    """Return the period of a page."""
    _refuse_others(params, ("period", "until"))
    name = params.get("period", USUAL_PERIOD)
    if name not in VIEW_PERIODS:
        raise BadRequestError(f"period must be one of {', '.join(VIEW_PERIODS)}")
    until = params.get("until")
    return PastView(
        VIEW_PERIODS[name], now, None if until is None else _moment("until", until, now)
    )


def _refuse_others(params: QueryParams, known: Collection[str]) -> None:
    """Refuse a mistyped parameter: without it the answer would be one to another question."""
    for name, value in params.items():
        if name not in known:
            raise BadRequestError(f"no parameter {name[:20]!r}; there are {', '.join(known)}")
        if len(value) > LONGEST_VALUE:
            raise BadRequestError(f"{name} is longer than {LONGEST_VALUE} characters")


def _between(
    params: QueryParams, now: EpochSeconds, usual_since: str = USUAL_SINCE
) -> tuple[EpochSeconds, EpochSeconds]:
    until = min(_moment("until", params["until"], now), now) if "until" in params else now
    since = _moment("since", params.get("since", usual_since), now)
    if since >= until:
        raise BadRequestError(f"since {moment(since)} is not before {moment(until)}")
    return since, until


def _by_seconds(params: QueryParams, seconds: float) -> int:
    """Return the length of the periods into which a time is divided."""
    by = params.get("by") or usual_by(seconds)
    if by not in BY_SECONDS:
        raise BadRequestError(f"by must be one of {', '.join(BY_SECONDS)}")
    if seconds / BY_SECONDS[by] > MOST_PERIODS:
        raise BadRequestError(
            f"more than {MOST_PERIODS} periods: choose a later `since`, or a longer `by`"
        )
    return BY_SECONDS[by]


def _moment(name: str, text: str, now: EpochSeconds) -> EpochSeconds:
    """Return a moment since 1970, which the history has none before."""
    try:
        return max(0.0, epoch_in(text, now))
    except ValueError as error:
        raise BadRequestError(f"{name}: {error}") from error


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not (isfinite(share) and 0.0 <= share <= 1.0):
        raise BadRequestError("quantile must be a share from 0 to 1, such as 0.99")
    return share
