"""Which numbers of an observation the history keeps, and that the documentation lists all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ldaphealth.checks import BUILT_IN, bind, certificate, entry_count, monitor, resources
from ldaphealth.history.kept_numbers import (
    BY_KEY,
    KEPT_NUMBERS,
    MOST_LABELS,
    labels_of,
    observed_numbers,
    series,
)
from ldaphealth.model import Failure, FailureKind, Finding, Metric, Observation, State

DOCUMENT = Path(__file__).parents[2] / "docs" / "history.md"
NOW = 1_800_000_000.0
DAY = 86_400.0

CASES: dict[str, tuple[str, Any, dict[str, float]]] = {
    "databases by suffix": (
        "resources",
        resources.Facts(
            databases=(
                resources.Database("dc=a", 0.5, 0.1, 50, 100),
                resources.Database("dc=b", 0.1, 0.1, 7, 70),
            )
        ),
        {
            "database_pages dc=a": 50,
            "database_pages dc=b": 7,
            "database_pages_max dc=a": 100,
            "database_pages_max dc=b": 70,
        },
    ),
    "facts of before have no pages": (
        "resources",
        resources.Facts(0.5, 3, (resources.Database("dc=a", 0.5, 0.1),)),
        {"pending_operations": 3},
    ),
    "connections": (
        "resources",
        resources.Facts(connections=resources.Connections(12, 1024)),
        {"connections": 12, "connections_max": 1024},
    ),
    "no cn=Monitor": ("resources", resources.Facts(access="none"), {}),
    "requests of all kinds": (
        "monitor",
        monitor.Facts(completed={"search": 9, "bind": 9}, in_flight={"search": 2, "bind": 1}),
        {"requests_in_flight": 3},
    ),
    "no requests": ("monitor", monitor.Facts(completed={"search": 9}), {"requests_in_flight": 0}),
    "no operations can be read": ("monitor", monitor.Facts(access="denied"), {}),
    "entries": ("entry_count", entry_count.Facts(entries={"dc=a": 5}), {"entries dc=a": 5}),
    "both certificates": (
        "certificate",
        certificate.Facts("verified", (), NOW + 9 * DAY, NOW, NOW + DAY / 3),
        {"days_left": 9, "client_days_left": 0.33},
    ),
    "no TLS": ("certificate", certificate.Facts("none"), {}),
    "a password that expires": (
        "bind",
        bind.Facts(expires_epoch_seconds=NOW + 2.5 * DAY, observed_epoch_seconds=NOW),
        {"password_days_left": 2.5},
    ),
    "a password that does not": ("bind", bind.Facts(), {}),
    "another check": ("search", bind.Facts(), {}),
}


def seen(check: str, facts: Any, failure: Failure | None = None) -> Observation[Any]:
    return Observation(
        server="c/a",
        check=check,
        started_at=0.0,
        duration_seconds=0.0,
        facts=facts,
        failure=failure,
    )


def behind(check: str, *labels: str) -> Finding:
    metrics = tuple(Metric("behind_seconds", 1.234567, label=each) for each in labels)
    return Finding(
        server="c/a", check=check, state=State.OK, code="ok", summary="", metrics=metrics
    )


@pytest.mark.parametrize("name", CASES)
def test_numbers_of_facts(name: str) -> None:
    check, facts, expected = CASES[name]

    assert observed_numbers(seen(check, facts), ()) == expected


def test_numbers_of_findings_are_those_of_the_check_by_label() -> None:
    findings = [behind("replication", "001", "002 dc=a"), behind("propagation", "003")]

    found = observed_numbers(seen("replication", bind.Facts()), findings)

    assert found == {"behind_seconds 001": 1.23, "behind_seconds 002 dc=a": 1.23}


def test_nothing_is_kept_of_a_check_that_failed() -> None:
    failed = seen("replication", None, Failure(FailureKind.TIMEOUT, "no answer"))

    assert observed_numbers(failed, [behind("replication", "001")]) == {}


def test_a_server_cannot_fill_the_history_with_labels() -> None:
    many = behind("replication", *(f"{number:03x}" for number in range(1000)))

    assert len(observed_numbers(seen("replication", bind.Facts()), [many])) == MOST_LABELS


def test_labels_are_those_of_the_number_alone() -> None:
    kept = [series("behind_seconds", "001"), series("behind", "9"), series("behind_seconds", "")]

    assert labels_of("behind_seconds", kept) == {"behind_seconds 001": "001", "behind_seconds": ""}


def test_each_number_is_of_a_built_in_check_and_has_a_name_of_its_own() -> None:
    assert len(BY_KEY) == len(KEPT_NUMBERS)
    assert {each.check for each in KEPT_NUMBERS} <= {*BUILT_IN}
    assert all(" " not in each.name for each in KEPT_NUMBERS)


def test_the_documentation_lists_each_number() -> None:
    lines = DOCUMENT.read_text().splitlines()

    for each in KEPT_NUMBERS:
        assert f"| `{each.key}` | {each.unit} | {each.means} |" in lines
