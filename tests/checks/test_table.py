"""The table of the built-in checks loads what is looked up, and says what is off by default."""

from __future__ import annotations

import subprocess
import sys

import pytest
from msgspec.structs import fields

from ldaphealth.checks import BUILT_IN, LAST, OFF_WITHOUT_SETTINGS, SESSION, find


def test_every_row_names_the_check_that_it_loads() -> None:
    assert {name: BUILT_IN[name].name for name in BUILT_IN} == {name: name for name in BUILT_IN}


def test_off_are_checks_that_need_a_setting_and_those_that_only_some_want() -> None:
    needy = {
        name
        for name, check in BUILT_IN.items()
        if any(each.required for each in fields(check.params))
    }

    assert needy | {"counters"} == OFF_WITHOUT_SETTINGS


def test_the_other_names_are_of_checks_that_there_are() -> None:
    assert {LAST, *SESSION} <= {*BUILT_IN}


def test_every_check_of_a_session_stands_between_bind_and_unbind() -> None:
    order = [name for name, check in BUILT_IN.items() if check.is_in_rounds]

    assert (order[:2], order[-1]) == (["connect", "bind"], "unbind")
    assert order[order.index(LAST) + 1 :] == ["latency", "unbind"], (
        "only these do no LDAP operation"
    )


def test_these_checks_are_left_out_behind_a_balancer() -> None:
    found = {name for name, check in BUILT_IN.items() if check.of_one_server}

    assert found == {
        "write",
        "replication",
        "consumer",
        "entry_count",
        "resources",
        "counters",
        "monitor",
        "content",
        "propagation",
        "traffic",
        "workload",
        "forecast",
    }


def test_a_cluster_may_have_several_checks_of_these_kinds() -> None:
    assert {name for name, check in BUILT_IN.items() if not check.why_single} == {
        "search",
        "compare",
        "login",
        "workload",
    }


def test_these_may_run_in_some_rounds_and_with_an_account_of_their_own() -> None:
    assert {name for name, check in BUILT_IN.items() if not check.why_bound} == {
        "search",
        "compare",
        "write",
        "login",
    }


def test_surveys_stand_after_the_checks_of_a_session() -> None:
    is_survey = [check.survey is not None for check in BUILT_IN.values()]

    assert is_survey == sorted(is_survey)


def test_a_check_that_there_is_not_is_a_lookup_error_that_names_those_that_there_are() -> None:
    assert "nosuch" not in BUILT_IN
    with pytest.raises(LookupError, match=r"'nosuch'; built in are connect, .*unbind"):
        find("nosuch")


def test_only_what_is_looked_up_is_loaded() -> None:
    code = """
import sys
from ldaphealth.checks import BUILT_IN, find
assert "replication" in BUILT_IN and len([*BUILT_IN]) == len(BUILT_IN)
find("bind")
print(*(name for name in BUILT_IN if f"ldaphealth.checks.{name}" in sys.modules))
"""
    found = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=30
    )
    assert found.stdout.split() == ["bind"]
