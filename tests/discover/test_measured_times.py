"""Thresholds from measured times: never below the defaults, never broken by what was measured."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.discover.draft import Draft
from ldaphealth.discover.measured_times import MeasuredTimes, NormalTime, normal_time
from ldaphealth.discover.thresholds import add_thresholds
from ldaphealth.discover.trial import load_draft


def measured(**seconds: list[float]) -> MeasuredTimes:
    return MeasuredTimes(
        seconds={server: {"search": times} for server, times in seconds.items()},
        sessions={server: len(times) for server, times in seconds.items()},
        failures={server: [] for server in seconds},
    )


def draft(*names: str) -> Draft:
    servers = {name: f"ldap://{name}" for name in names}
    cluster = {"suffix": "dc=x", "servers": servers, "checks": {"search": {}}}
    return Draft(cluster="c", data={"clusters": {"c": cluster}}, comments={})


def test_the_slowest_server_decides() -> None:
    normal = normal_time(measured(a=[0.001] * 100, b=[0.001] * 98 + [0.4, 0.5]), ("search",))

    assert normal == NormalTime(seconds=0.4, operations=200, slowest="b")


def test_without_a_time_there_is_no_normal_one() -> None:
    assert normal_time(measured(a=[]), ("search",)) is None


@given(st.lists(st.floats(0, 5), min_size=1, max_size=20), st.lists(st.floats(0, 5), max_size=5))
def test_every_threshold_can_alert_and_none_alerts_now(a: list[float], b: list[float]) -> None:
    """The configuration loads, which refuses thresholds that cannot work."""
    drafted, times = draft("a", "b"), measured(a=a, b=b)

    add_thresholds(drafted, times)

    checks = {each.name: each for each in load_draft(drafted).checks}
    limits = checks["search"].params_of(load_draft(drafted).servers[0]).seconds
    normal = normal_time(times, ("search",))
    assert normal is not None
    assert not limits.warning.alerts(normal.seconds)


def test_sessions_that_failed_are_in_a_comment() -> None:
    times = measured(a=[0.1])
    times.sessions["a"], times.failures["a"] = 3, ["bind: busy", "bind: busy"]
    drafted = draft("a")

    add_thresholds(drafted, times)

    assert drafted.comments["clusters", "c", "servers", "a"] == [
        "2 of 3 measured sessions failed: bind: busy"
    ]
