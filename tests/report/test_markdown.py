"""The Markdown of a report is what a real parser expects, whatever servers and people wrote."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ldaphealth.history.incident import Incident
from ldaphealth.report.document import OutageDetail, period_document
from ldaphealth.report.markdown import markdown
from ldaphealth.report.outages import outages_of
from ldaphealth.report.period import ReportPeriod
from tests.report import example
from tests.report.changes import DRAIN, SINCE, change, gathered, reason
from tests.report.test_times_plot import document as times
from tests.report.test_times_plot import period
from tests.text.test_markdown import HOSTILE, kinds

PARSER = MarkdownIt("gfm-like", {"linkify": False})
ALLOWED = {
    *("inline", "text", "code_inline", "softbreak", "fence", "strong_open", "strong_close"),
    *("paragraph_open", "paragraph_close", "heading_open", "heading_close"),
    *("bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close"),
    *("table_open", "table_close", "thead_open", "thead_close", "tbody_open", "tbody_close"),
    *("tr_open", "tr_close", "th_open", "th_close", "td_open", "td_close"),
}
TEXTS = st.one_of(st.sampled_from(HOSTILE), st.text(min_size=1, max_size=60))


def whole(text: str) -> ReportPeriod:
    """Return a day with one of each, in which people and servers wrote the same text."""
    timeout = reason("bind.timeout", text, remedy=f"run `{text}`; {text}")
    order = DRAIN | {"by": text, "reason": text}
    held = {"in_service": True, "held_by": "floor", "held": "held by floor (kept in: x)"}
    return gathered(
        [
            change(0, "c/a", was_in_service=None),
            change(100, "c/a", timeout),
            change(160, "c/a"),
            change(200, "c/a", in_service=False, override_in_force=order, held_by="override"),
            change(300, "c/a", override_ended=order | {"taken_back_by": text}),
            change(400, "c/a", timeout, **held),
            change(500, "c/a", reason(text, text)),
        ],
        incidents=[
            Incident(id=1, target="c", began=SINCE + 90, ended=SINCE + 170, note=text, by=text)
        ],
        times=[times(2)],
        starts=[
            {
                "at": "2027-01-15T08:00:00Z",
                "clusters": ["c"],
                "program": text,
                "is_start": True,
                "silent_seconds": 75.0,
            }
        ],
        problems=[text],
    )


def made(found: ReportPeriod, **more: Any) -> dict[str, Any]:
    outages = outages_of(found)
    around = {
        "by_seconds": 60,
        "periods": [period(0, 60, 0.1)],
    }
    detail = OutageDetail(
        check="bind",
        times={"before": 0.1, "during": None, "after": 0.2, "around": around},
        **more,
    )
    return period_document(found, outages, [(each, detail) for each in outages])


def headings(source: str) -> list[tuple[str, str]]:
    tokens = PARSER.parse(source)
    return [
        (each.tag, tokens[at + 1].content)
        for at, each in enumerate(tokens)
        if each.type == "heading_open"
    ]


def test_the_sections_of_a_report() -> None:
    source = markdown(made(whole("no answer")))

    assert [text for tag, text in headings(source) if tag == "h2"] == [
        "Availability",
        "Incidents",
        "Outages",
        "Overrides",
        "Held by the guard",
        "What happened",
        "Times",
        "The agent",
        "What to do",
        "What could not be read",
    ]
    assert source.startswith(
        "# LDAP report: 2027-01-15T08:00:00Z to 2027-01-16T08:00:00Z\n\n"
        "1 server, 3 outages on 1 of them (1 ordered by operators); the longest: `c/a` for "
        "23 h 51 min (`no answer`).\n"
        "Out of service at the end: `c/a`.\n"
    )
    assert "### `c/a` out of service for 1 min\n" in source
    assert "- Found: `bind.timeout`: no answer\n" in source
    assert "- Ordered: drained by no answer until 2027-01-15T12:00:00Z: no answer\n" in source
    assert "`c/a` was out of service for 1 min of it; first after 10 s\n" in source
    assert "in the 30 min before, 200 ms in the 30 min after" in source
    assert "held by floor (kept in: x) with `bind.timeout`: 1 time, 1 min 40 s in all" in source


@settings(deadline=None)
@given(TEXTS)
def test_no_text_becomes_a_link_html_or_another_heading(text: str) -> None:
    source = markdown(made(whole(text), problem=text))
    expected = markdown(made(whole("no answer"), problem="no answer"))

    assert kinds(source) <= ALLOWED
    assert [tag for tag, _ in headings(source)] == [tag for tag, _ in headings(expected)]
    count = Counter(each.type for each in PARSER.parse(source))
    like = Counter(each.type for each in PARSER.parse(expected))
    assert (count["td_open"], count["fence"]) == (like["td_open"], like["fence"])


def test_the_whole_report_is_the_one_in_the_file() -> None:
    """`python -m tests.report.example` writes it again."""
    assert example.text() == example.FILE.read_text(encoding="utf-8")


def test_a_period_without_a_verdict_says_so() -> None:
    source = markdown(made(gathered([])))

    assert source.endswith("Z\n\nThe history has no verdict of this period.\n")


def test_what_was_too_much_is_said() -> None:
    noise = [
        change(at, f"c/{at % 2}", reason("search.slow", removes=False, state="WARNING"))
        for at in range(500)
    ]
    source = markdown(made(gathered(noise)))

    assert "Left out, because there are many: 300 changes of state or reasons alone." in source
    assert source.count("\n- 2027") == 200
