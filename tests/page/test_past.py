"""The parts of the pages of the history: links between periods, changes and bands as text."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from ldaphealth.histogram import histogram_of
from ldaphealth.history.aggregate import aggregate_of
from ldaphealth.history.availability import Availability, Outage
from ldaphealth.history.kept_numbers import BY_KEY
from ldaphealth.history.number_series import NumberSeries
from ldaphealth.history.times_document import OperationTimes
from ldaphealth.model import OverrideNote, Verdict
from ldaphealth.page.past import Past, render_server, service_rows
from ldaphealth.page.past_changes import past_change
from ldaphealth.page.past_plots import constant, number_plot, operation_plot, series_name
from ldaphealth.page.service_band import service_band
from ldaphealth.page.view_period import VIEW_PERIODS, PastView
from ldaphealth.publishers.publication import VerdictChange
from ldaphealth.store.change_document import AnyChange, change_row
from ldaphealth.store.numbers_reading import NumberPeriod
from ldaphealth.store.points_reading import Period
from tests.page import views
from tests.page.test_page import Parsed
from tests.sinks.nasty import NASTY

NOW = 1_795_776_000.0  # 2026-11-27T10:40:00Z
DAY = 86_400.0
GOOD, OUT = views.fine("c/a"), views.silent("c/a")
DRAIN = OverrideNote(action="drain", by="alice", until_epoch=NOW, reason="new kernel")


def view(name: str = "day", until: float | None = None) -> PastView:
    return PastView(VIEW_PERIODS[name], NOW, until)


def test_links_lead_to_the_periods_before_and_after() -> None:
    latest = view()
    before = view(until=NOW - DAY)

    assert (latest.begin, latest.end) == (NOW - DAY, NOW)
    assert latest.earlier == "?period=day&until=2026-11-26T10:40:00Z"
    assert latest.later == ""
    assert before.later == "?period=day"
    assert view(until=NOW - 3 * DAY).later == "?period=day&until=2026-11-25T10:40:00Z"
    assert before.of_length("week") == "?period=week&until=2026-11-26T10:40:00Z"


def test_a_period_does_not_end_in_the_future() -> None:
    assert view(until=NOW + 1e9).end == NOW


def row(change: AnyChange) -> tuple[str, str, str, str]:
    found = past_change(msgspec.json.decode(change_row(NOW + 0.25, change)[2]))
    assert found.at == "2026-11-27T10:40:00Z"
    return found.target, found.kind, found.text, found.why


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (None, GOOD, ("c/a", "fine", "first verdict: in service", "")),
        (GOOD, OUT, ("c/a", "out", "in service → out", "bind.timeout")),
        (OUT, GOOD, ("c/a", "fine", "out → in service", "")),
        (
            GOOD,
            views.behind("c/a"),
            ("c/a", "warned", "still in service, warning", "replication.behind"),
        ),
        (
            GOOD,
            replace(views.draining("c/a"), override=DRAIN),
            (
                "c/a",
                "draining",
                "in service → draining",
                "held by override; drained by alice until 2026-11-27T10:40:00Z: new kernel",
            ),
        ),
    ],
)
def test_a_change_of_verdict_is_a_row(
    before: Verdict | None, after: Verdict, words: tuple[str, str, str, str]
) -> None:
    assert row(VerdictChange(before, after)) == words


def test_an_override_that_was_taken_back_has_both_names() -> None:
    drained = replace(views.draining("c/a"), override=DRAIN)

    assert row(VerdictChange(drained, GOOD, "bob"))[3].startswith(
        "override taken back by bob: drained by alice"
    )


@pytest.mark.parametrize("change", [{}, {"at": 1, "verdict": {}}, {"verdict": None}])
def test_what_is_no_change_is_an_error(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"not a change|not a verdict"):
        past_change(change)


AVAILABLE = Availability(
    known_seconds=DAY / 2,
    outages=(
        Outage(began=NOW - 7200, ended=NOW - 3600, causes=("bind.timeout",)),
        Outage(began=NOW - 60, ended=NOW, causes=("operator",), has_ended=False),
    ),
)


def test_availability_is_in_numbers_and_as_a_band() -> None:
    band = service_band(AVAILABLE, NOW - DAY, NOW)

    assert dict(service_rows(AVAILABLE, view())) == {
        "in service": "91.527 %",
        "known since": "2026-11-26T22:40:00Z",
        "out for": "1 h 1 min",
        "outages": "2",
        "longest": "1 h, out since 2026-11-27T08:40:00Z (bind.timeout)",
        "removed by": "bind.timeout 1, operator 1",
    }
    assert [(each.kind, each.place, each.length) for each in band.parts] == [
        ("in", 50.0, 50.0),
        ("out", 91.667, 4.167),
        ("drained", 99.931, 0.069),
    ]
    assert band.description == (
        "In service for 91.527 % of the known time. "
        "out for 1 h since 2026-11-27T08:40:00Z (bind.timeout); "
        "out for 1 min since 2026-11-27T10:39:00Z (operator)"
    )


def test_nothing_known_is_no_share() -> None:
    nothing = Availability(known_seconds=0.0, outages=())

    assert service_band(nothing, NOW - DAY, NOW).parts == ()
    assert dict(service_rows(nothing, view()))["in service"].startswith("not known")


def test_many_outages_are_few_parts_that_say_how_many() -> None:
    outages = tuple(
        Outage(began=NOW - DAY + number, ended=NOW - DAY + number + 0.5) for number in range(80_000)
    )
    band = service_band(Availability(known_seconds=DAY, outages=outages), NOW - DAY, NOW)

    assert len(band.parts) == 2
    assert band.parts[1].text.endswith("; and 79997 more")
    assert band.description.endswith("; and 79990 more")


def test_the_quantiles_of_an_operation_are_those_of_all_its_periods() -> None:
    periods = [
        Period(start_epoch=NOW - 7200, seconds=600, durations=histogram_of([0.001] * 99)),
        Period(start_epoch=NOW - 3600, seconds=600, durations=histogram_of([1.0])),
    ]
    found = operation_plot(OperationTimes("bind", "bind", periods), view())

    assert found.facts == ("median 1.0 ms", "99 % 1.0 ms", "longest 1.0 s", "100 times")
    assert found.plot.middle_path.count("M") == 2
    assert found.description == (
        "2 values, with 1 gap. Median: 1.0 ms to 1.0 s. 99 %: 1.0 ms to 1.0 s, "
        "the highest from 2026-11-27T09:40:00Z on."
    )


def series(key: str, label: str, *numbers: float) -> NumberSeries:
    periods = [
        NumberPeriod(
            start_epoch=NOW - DAY + 3600 * place, seconds=3600, numbers=aggregate_of([number])
        )
        for place, number in enumerate(numbers)
    ]
    return NumberSeries(BY_KEY[key], label, periods)


def test_a_number_has_its_label_and_the_worse_end() -> None:
    behind = series("replication.behind_seconds", "001", 0.0, 90.0, 30.0)
    days = series("certificate.days_left", "", 30.0, 29.5)

    assert series_name(behind) == "replication: behind (001)"
    assert number_plot(behind, view()).facts == ("latest 30.0 s", "mean 40.0 s", "most 1 min 30 s")
    assert [each.text for each in number_plot(behind, view()).plot.values] == [
        "0 s",
        "30 s",
        "1 min",
        "1 min 30 s",
    ]
    assert number_plot(days, view()).facts == ("latest 29.5", "mean 29.75", "least 29.5")


def test_what_never_changed_has_no_plot() -> None:
    never, once = (
        series("replication.behind_seconds", "001", 0.0, 0.0),
        series("replication.behind_seconds", "002", 0.0, 0.5),
    )
    past = Past(target="c/a", version="1", view=view(), availability=AVAILABLE, changes=[])
    page = render_server(past, None, (), [never, once])

    assert (constant(never), constant(once)) == ("replication: behind (001) 0 s", "")
    assert constant(series("resources.database_pages_max", "dc=x", 2_621_440.0, 2_621_440.0)) == (
        "resources: database pages max (dc=x) 2.621 M"
    )
    assert page.count("<b>replication: behind") == 1
    assert "The same all the time: replication: behind (001) 0 s<" in page


def nasty_past(text: str) -> str:
    change = msgspec.json.decode(change_row(NOW, VerdictChange(None, OUT))[2])
    change["verdict"] |= {"server": text, "held_by": text}
    change["override_ended"] = {"action": "drain", "by": text, "until": "", "reason": text} | {
        "taken_back_by": text
    }
    baseline = {"at": text, "baseline": {"cluster": text, "accepted_by": text, "summary": text}}
    outage = replace(AVAILABLE.outages[0], causes=(text,))
    past = Past(
        target=f"c/{text}",
        version=text,
        view=view(),
        availability=replace(AVAILABLE, outages=(outage,)),
        changes=[change, baseline],
        unread=text,
    )
    numbers = [series("replication.behind_seconds", text, number) for number in (0.0, 1.0)]
    return render_server(past, None, [OperationTimes(text, text, [])], numbers)


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_no_text_becomes_markup_or_breaks_the_page(text: str) -> None:
    found, harmless = Parsed(nasty_past(text)), Parsed(nasty_past("harmless"))

    if text:
        assert found.elements == harmless.elements
    assert found.scripts == []
    nasty_past(text).encode()
