"""The log line of a change of verdict: its level, its codes and its sentence."""

from __future__ import annotations

import logging

import pytest
from msgspec.structs import replace

from ldaphealth.agent.verdict_log import log_change
from ldaphealth.model import CheckEffect, Reason, State, Verdict
from ldaphealth.publishers.publication import VerdictChange

SPLIT = Reason(
    "replication.split", "a, b against c", State.CRITICAL, CheckEffect.OUT, removes=False
)
BEHIND = Reason(
    "replication.behind", "lacks changes", State.CRITICAL, CheckEffect.OUT, removes=True
)
LINK = Reason(
    "consumer.not_connected", "to ldap://a", State.WARNING, CheckEffect.OUT, removes=False
)
WELL = Verdict(server="c/a", state=State.OK, in_service=True, weight=100)


def logged(
    verdict: Verdict, caplog: pytest.LogCaptureFixture, before: Verdict | None = WELL
) -> list[logging.LogRecord]:
    with caplog.at_level(logging.INFO):
        log_change(VerdictChange(before, verdict))
    return caplog.records


@pytest.mark.parametrize(
    ("verdict", "level"),
    [
        (WELL, "INFO"),
        (replace(WELL, state=State.CRITICAL, reasons=(SPLIT,)), "WARNING"),
        (replace(WELL, state=State.CRITICAL, reasons=(BEHIND,), held_by="blind"), "WARNING"),
        (replace(WELL, state=State.WARNING, reasons=(LINK,)), "WARNING"),
        (replace(WELL, in_service=False, weight=0, held_by="settle"), "WARNING"),
        (replace(WELL, in_service=False, draining=True, held_by="override"), "WARNING"),
    ],
)
def test_all_that_is_not_well_is_a_warning(
    verdict: Verdict, level: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert [each.levelname for each in logged(verdict, caplog)] == [level]


def test_the_sentence_is_that_of_the_reason_that_removes_and_each_code_stands_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    reasons = (LINK, replace(LINK, summary="to ldap://b"), SPLIT, BEHIND)
    out = replace(WELL, state=State.CRITICAL, in_service=False, reasons=reasons)

    (record,) = logged(out, caplog)

    assert vars(record)["reasons"] == "replication.behind,replication.split,consumer.not_connected"
    assert vars(record)["summary"] == "lacks changes"


def test_a_sentence_of_a_server_is_bounded_and_one_line(caplog: pytest.LogCaptureFixture) -> None:
    long = replace(SPLIT, summary="a\nb\x1b[2J" + "x" * 5000)

    (record,) = logged(replace(WELL, state=State.CRITICAL, reasons=(long,)), caplog)

    text = vars(record)["summary"]
    assert len(text) <= 300
    assert text.isprintable()


def test_a_server_that_was_not_probed_yet_has_no_line_before_its_first_round(
    caplog: pytest.LogCaptureFixture,
) -> None:
    unknown = replace(WELL, state=State.UNKNOWN)

    assert not logged(unknown, caplog, before=None)

    (record,) = logged(replace(unknown, in_service=False, held_by="override"), caplog, before=None)
    assert "not probed" in vars(record)["summary"]
