"""The parameters of the history: whatever is sent is valid, or refused with one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from ldaphealth.history.kept_numbers import BY_KEY
from ldaphealth.web.past_queries import (
    availability_query,
    changes_query,
    numbers_query,
    times_query,
    view_query,
)
from ldaphealth.web.source import BadRequestError

NOW = 1_795_776_000.0  # 2026-11-27T10:40:00Z
DAY = 86_400.0
MOMENTS = st.one_of(
    st.text(max_size=20),
    st.from_regex(r"\d{1,200}(\.\d+)?[dhms]", fullmatch=True),
    st.datetimes(timezones=st.timezones()).map(lambda at: at.isoformat()),
)
VALUES = {
    "target": st.text(max_size=30),
    "since": MOMENTS,
    "until": MOMENTS,
    "limit": st.text("0123456789²-+e.", max_size=8),
    "check": st.text("ab.%\0é", max_size=8),
    "number": st.sampled_from([*BY_KEY, "", "connections", "\0"]),
    "quantile": st.one_of(st.text("0123456789.e-naif", max_size=6), st.just("nan")),
    "by": st.sampled_from(["minute", "hour", "day", "week", ""]),
    "period": st.sampled_from(["hour", "day", "year", "", "decade"]),
}
QUERIES = st.lists(
    st.sampled_from([*VALUES]).flatmap(lambda name: st.tuples(st.just(name), VALUES[name])),
    max_size=6,
)


@pytest.mark.parametrize(
    "read", [availability_query, changes_query, numbers_query, times_query, view_query]
)
@given(QUERIES)
def test_any_query_is_valid_or_refused_with_one_line(
    read: Callable[[QueryParams, float], Any], given: list[tuple[str, str]]
) -> None:
    try:
        found = read(QueryParams(given), NOW)
    except BadRequestError:
        return
    if read is view_query:
        assert found.begin < found.end <= NOW
        assert "?" not in found.query[1:]
    else:
        since, until = found.since_epoch, getattr(found, "until_epoch", None) or found.before_epoch
        assert 0.0 <= since < until <= NOW


def test_without_parameters_it_is_the_usual() -> None:
    availability = availability_query(QueryParams(""), NOW)
    changes = changes_query(QueryParams(""), NOW)
    times = times_query(QueryParams("check=bind.bind"), NOW)

    assert (availability.since_epoch, availability.until_epoch) == (NOW - 30 * DAY, NOW)
    assert (changes.since_epoch, changes.before_epoch, changes.limit) == (0.0, NOW, 20)
    assert (times.check, times.operation, times.by_seconds, times.quantile) == (
        "bind",
        "bind",
        86_400,
        0.99,
    )
    assert view_query(QueryParams(""), NOW).period.name == "day"
