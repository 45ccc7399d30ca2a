"""The plots on the page of a server, with what they show in words. Pure."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from ldaphealth.histogram import merged
from ldaphealth.history.aggregate import combined
from ldaphealth.history.number_series import NumberSeries
from ldaphealth.history.times_document import OperationTimes
from ldaphealth.page.view_period import PastView
from ldaphealth.plots.axes import DurationAxis, TimeAxis
from ldaphealth.plots.number_axis import SECONDS, NumberAxis, short_number
from ldaphealth.plots.period_plot import PeriodPlot, Values, period_plot
from ldaphealth.text.duration import brief, rounded_duration
from ldaphealth.text.moment import moment
from ldaphealth.text.printable import printable
from ldaphealth.text.quantity import quantity

MEDIAN, HIGH = 0.5, 0.99
HIGH_NAME = "99 %"


class PastPlot(Struct, frozen=True, kw_only=True):
    """A plot with its caption. `about` and `description` are its text for screen readers."""

    name: str
    key: str  # by which commands and requests name it
    facts: tuple[str, ...]
    about: str
    description: str
    plot: PeriodPlot


def operation_plot(times: OperationTimes, view: PastView) -> PastPlot:
    """Return the plot of how long an operation took."""
    values = [
        Values(
            start=each.start_epoch,
            length_seconds=each.seconds,
            middle=each.durations.quantile(MEDIAN),
            edge=each.durations.quantile(HIGH),
        )
        for each in times.periods
        if each.durations.count
    ]
    whole = merged(each.durations for each in times.periods)
    axis = DurationAxis.of(each for of in values for each in (of.middle, of.edge))
    plot = period_plot(values, TimeAxis(view.begin, view.end), axis)
    return PastPlot(
        name=printable(times.name),
        key=printable(times.name),
        facts=(
            f"median {brief(whole.quantile(MEDIAN))}",
            f"{HIGH_NAME} {brief(whole.quantile(HIGH))}",
            f"longest {brief(whole.most if whole.count else 0.0)}",
            quantity(whole.count, "time"),
        ),
        about=f"Times of {printable(times.name)}",
        description=_description(values, plot, ("Median", HIGH_NAME), brief),
        plot=plot,
    )


def number_plot(series: NumberSeries, view: PastView) -> PastPlot:
    """Return the plot of a number: its mean, and the most or the least of each period."""
    shows, unit = series.number.shows, series.number.unit
    values = [
        Values(
            start=each.start_epoch,
            length_seconds=each.seconds,
            middle=each.numbers.mean,
            edge=each.numbers.most if shows == "most" else each.numbers.least,
        )
        for each in series.periods
        if each.numbers.count
    ]
    whole = combined(each.numbers for each in series.periods)
    words = _words(series)
    axis = NumberAxis.of((each for of in values for each in (of.middle, of.edge)), unit)
    plot = period_plot(values, TimeAxis(view.begin, view.end), axis)
    edge = whole.most if shows == "most" else whole.least
    facts = (f"latest {words(whole.last)}", f"mean {words(whole.mean)}", f"{shows} {words(edge)}")
    return PastPlot(
        name=series_name(series),
        key=series.number.key,
        facts=facts if whole.count else (),
        about=printable(f"{series_name(series)}: {series.number.means.replace('`', '')}"),
        description=_description(values, plot, ("Mean", shows.capitalize()), words),
        plot=plot,
    )


def series_name(series: NumberSeries) -> str:
    """Return a number and its label in words: `replication: behind (001)`."""
    name = series.number.name.removesuffix("_seconds").replace("_", " ")
    label = f" ({series.label})" if series.label else ""
    return printable(f"{series.number.check}: {name}{label}")


def constant(series: NumberSeries) -> str:
    """Return a number that was the same all the time, as text: it needs no plot. "" if it was not.

    One without any number is one that was not.
    """
    whole = combined(each.numbers for each in series.periods)
    if not whole.count or whole.least != whole.most:
        return ""
    return f"{series_name(series)} {_words(series)(whole.last)}"


def _words(series: NumberSeries) -> Callable[[float], str]:
    """Return how a number is written."""
    if series.number.unit != SECONDS:
        return short_number
    return lambda seconds: rounded_duration(seconds) if seconds else "0 s"


def _description(
    values: list[Values],
    plot: PeriodPlot,
    names: tuple[str, str],
    words: Callable[[float], str],
) -> str:
    if not values:
        return "Nothing in this period."
    middles, edges = [each.middle for each in values], [each.edge for each in values]
    highest = max(values, key=lambda each: each.edge)
    gaps = f", with {quantity(plot.gaps, 'gap')}" if plot.gaps else ""
    return (
        f"{quantity(len(values), 'value')}{gaps}. "
        f"{names[0]}: {words(min(middles))} to {words(max(middles))}. "
        f"{names[1]}: {words(min(edges))} to {words(highest.edge)}, "
        f"the highest from {moment(highest.start)} on."
    )
