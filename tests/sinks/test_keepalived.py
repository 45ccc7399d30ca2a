"""keepalived gets the exit status that means the verdict, and one line that begins with it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ldaphealth.model import CheckEffect, Snapshot, Verdict
from ldaphealth.sinks import SINKS, SinkOptions
from ldaphealth.sinks.keepalived import misc_check_status, render
from tests.sinks import snapshots
from tests.sinks.snapshots import TAKEN_AT, no_entry, serving, silent, troubled

ID = "main/ldap1"
IN, OUT = serving(ID), silent(ID)
HELD = troubled(IN, no_entry(ID), in_service=True, weight=100, held_by="floor")


def weighing(weight: int) -> Verdict:
    return replace(IN, weight=weight)


@pytest.mark.parametrize(
    ("verdict", "dynamic", "status", "rest"),
    [
        pytest.param(IN, False, 0, "main/ldap1 in service", id="in service is 0"),
        pytest.param(OUT, False, 1, "main/ldap1 out of service: bind.timeout", id="out is 1"),
        pytest.param(OUT, True, 1, "main/ldap1 out of service: bind.timeout", id="always"),
        pytest.param(IN, True, 102, "main/ldap1 in service", id="dynamic: weight plus 2"),
        pytest.param(weighing(0), True, 2, "main/ldap1 in service", id="weight 0 drains"),
        pytest.param(weighing(0), False, 0, "main/ldap1 in service", id="which needs dynamic"),
        pytest.param(weighing(253), True, 255, "main/ldap1 in service", id="the largest weight"),
        pytest.param(weighing(9999), True, 255, "main/ldap1 in service", id="a larger one is cut"),
        pytest.param(weighing(-5), True, 2, "main/ldap1 in service", id="so is a negative one"),
        pytest.param(
            HELD,
            False,
            0,
            "main/ldap1 in service, held by floor: search.noSuchObject",
            id="held in service is in service, with the reason",
        ),
    ],
)
def test_a_verdict_becomes_status_and_line(
    verdict: Verdict, dynamic: bool, status: int, rest: str
) -> None:
    output = render(Snapshot(TAKEN_AT, (verdict,)), SinkOptions(dynamic=dynamic))

    assert output.exit_status == status
    assert output.text == f"{status} {rest}"


@given(st.integers(), st.booleans(), st.booleans())
def test_only_a_server_out_of_service_exits_with_1(
    weight: int, in_service: bool, dynamic: bool
) -> None:
    verdict = replace(IN, weight=weight, in_service=in_service)
    status = misc_check_status(verdict, dynamic=dynamic)

    assert (status == 1) is not in_service
    assert 0 <= status <= 255


@pytest.mark.parametrize(
    "snapshot",
    [
        pytest.param(snapshots.EMPTY, id="no verdict"),
        pytest.param(snapshots.ONE_OUT, id="several verdicts"),
    ],
)
def test_anything_but_one_verdict_is_refused(snapshot: Snapshot) -> None:
    with pytest.raises(ValueError, match="one server"):
        render(snapshot, SinkOptions())


def test_checks_that_are_only_reported_need_not_run_for_it() -> None:
    assert SINKS["keepalived"].effects == {CheckEffect.OUT, CheckEffect.WEIGHT}
