"""Times, moments and numbers on the command line: one form for all commands."""

from __future__ import annotations

from datetime import UTC, datetime

import click
import pytest
from click.testing import CliRunner

from ldaphealth.cli.option_types import DurationText, MomentText, Number, WholeNumber

LEAP = datetime(2026, 11, 23, 3, 12, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("60s", 60),
        ("90", 90),
        ("0.5", 0.5),
        ("500ms", 0.5),
        ("2m", 120),
        ("1m30s", 90),
        ("2h30m", 9000),
        ("1 h 5 min", 3900),
        ("1.5h", 5400),
        ("1d", 86_400),
        ("0", 0),
        ("0s", 0),
    ],
)
def test_a_time_has_a_unit_or_is_in_seconds(text: str, seconds: float) -> None:
    assert DurationText(0, 90_000).convert(text, None, None) == seconds


@pytest.mark.parametrize(
    ("text", "needs_unit", "problem"),
    [
        ("", False, "is not a duration"),
        ("soon", False, "is not a duration, such as 45s"),
        ("30m2h", False, "is not a duration"),
        ("-5s", False, "is not a duration"),
        ("٣s", False, "is not a duration"),
        ("5y", True, "is not a duration"),
        ("2", True, "2 has no unit; write 2s, 2m, 2h or 2d"),
        ("0s", False, "'0s' is not in the range 0.1 s to 30 d"),
        ("31d", True, "'31d' is not in the range 0.1 s to 30 d"),
        ("9" * 400, False, "is not in the range"),
    ],
)
def test_what_is_no_time_is_refused_in_words(text: str, needs_unit: bool, problem: str) -> None:
    with pytest.raises(click.BadParameter) as raised:
        DurationText(0.1, 30 * 86_400, needs_unit=needs_unit).convert(text, None, None)

    assert problem in raised.value.message


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("2026-11-23T03:12", 0),
        ("2026-11-23T03:12Z", 0),
        ("2026-11-23 03:12:00.000Z", 0),
        ("2026-11-23T04:12+01:00", 0),
        ("2026-11-23T03:12+01:00", 3600),
    ],
)
def test_a_moment_is_in_utc_unless_it_has_an_offset(
    monkeypatch: pytest.MonkeyPatch, text: str, before: float
) -> None:
    monkeypatch.setenv("TZ", "America/New_York")

    assert MomentText().convert(text, None, None) == LEAP - before


@pytest.mark.parametrize("text", ["yesterday", "", "2026-13-01T00:00"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="not a moment that is known, such as"):
        MomentText().convert(text, None, None)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (WholeNumber(1, 1000), "1 to 1000"),
        (WholeNumber(1), "1 or more"),
        (Number(max=0.5), "0.5 or less"),
    ],
)
def test_bounds_are_words_in_the_help_and_in_errors(
    kind: click.ParamType[float], words: str
) -> None:
    command = click.command()(click.option("--number", type=kind)(lambda number: number))

    assert f"[{words}]" in CliRunner().invoke(command, ["--help"]).output
    refused = CliRunner().invoke(command, ["--number=-1" if "less" not in words else "--number=1"])
    assert f"is not in the range {words}." in refused.output
