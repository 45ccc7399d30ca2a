"""The types of options that click does not have: times, moments, and numbers with bounds in words.

Every option that takes a time has the type `DurationText`, and so one form for all commands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ldaphealth.clocks import EpochSeconds, epoch_seconds
from ldaphealth.control.requests import MAX_REASON_CHARACTERS
from ldaphealth.shard import Shard, shard_named, shards_of
from ldaphealth.text.duration import exact_duration, seconds_in
from ldaphealth.text.moment import epoch_in

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

USUAL_SHARDS = (2, 4, 8)


class DurationText(click.ParamType[float]):
    """A time such as `500ms`, `90s`, `30m`, `2h30m` or `1d`, within bounds in seconds.

    A number without a unit is a number of seconds, as in the configuration file, unless
    `needs_unit`: for a time that people think of in hours.
    """

    name = "duration"

    def __init__(self, least: float, most: float, *, needs_unit: bool = False) -> None:
        self.least, self.most, self.needs_unit = least, most, needs_unit

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return seconds."""
        text = str(value)
        try:
            seconds = seconds_in(text, needs_unit=self.needs_unit)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if not self.least <= seconds <= self.most:
            bounds = f"{exact_duration(self.least)} to {exact_duration(self.most)}"
            self.fail(f"{text!r} is not in the range {bounds}", param, ctx)
        return seconds


class MomentText(click.ParamType[EpochSeconds]):
    """A moment in ISO 8601, in UTC unless it has another offset, or how long ago it was: `2h30m`.

    All outputs show moments in UTC.
    """

    name = "moment"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> EpochSeconds:
        """Return seconds since 1970."""
        try:
            return epoch_in(str(value), epoch_seconds())
        except ValueError as error:
            self.fail(str(error), param, ctx)


class ReasonText(click.ParamType[str]):
    """A text of limited length."""

    name = "text"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Return the text."""
        if not str(value).strip():
            self.fail("is empty; say why, for whoever reads `status` later", param, ctx)
        if len(str(value)) > MAX_REASON_CHARACTERS:
            self.fail(f"at most {MAX_REASON_CHARACTERS} characters", param, ctx)
        return str(value)


class ShardText(click.ParamType[Shard]):
    """A shard such as `2/4`: the second of four."""

    name = "shard"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Shard:
        """Return the shard."""
        try:
            return shard_named(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        """Return the shards of the usual numbers of them."""
        from click.shell_completion import CompletionItem  # only completion uses it

        known = [str(each) for count in USUAL_SHARDS for each in shards_of(count)]
        return [CompletionItem(each) for each in known if each.startswith(incomplete)]


class WholeNumber(click.IntRange):
    """A whole number; its bounds are words in the help and in errors."""

    def _describe_range(self) -> str:
        return bounds_in_words(self.min, self.max)


class Number(click.FloatRange):
    """A number; its bounds are words in the help and in errors."""

    def _describe_range(self) -> str:
        return bounds_in_words(self.min, self.max)


def bounds_in_words(least: float | None, most: float | None) -> str:
    """Return such as `1 to 1000`, `1 or more`, `1000 or less`; a bound itself is allowed."""
    match least, most:
        case None, None:
            return "any number"
        case least, None:
            return f"{least} or more"
        case None, most:
            return f"{most} or less"
    return f"{least} to {most}"
