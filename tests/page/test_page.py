"""The page at `/`: its text on every kind of server, and that no other text becomes markup."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest
from msgspec.structs import replace

from ldaphealth.guard.rules import RULES
from ldaphealth.live.health import AgentHealth
from ldaphealth.live.live_server import LiveServer
from ldaphealth.live.live_state import DatedChange, LiveState, LiveView
from ldaphealth.model import OverrideNote, State
from ldaphealth.page import page
from ldaphealth.page.changes import folded
from ldaphealth.page.document import TEMPLATES
from ldaphealth.page.server_card import KINDS, CardOverride, card
from ldaphealth.publishers.publication import Publication, VerdictChange
from ldaphealth.publishers.shadow_publication import ShadowPublication, beside
from tests.page import views
from tests.sinks.nasty import NASTY, nasty_snapshot

ROOT = Path(__file__).parents[2]


class Parsed(HTMLParser):
    """Elements in their order, each with the names of its attributes; text; ids; links."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self._inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self._inside = tag
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name == "href":
                self.links.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        """Leave a script or a style."""
        if tag in ("script", "style"):
            self._inside = ""

    def handle_data(self, data: str) -> None:
        """Note a text."""
        if self._inside == "script":
            self.scripts.append(data)
        elif self._inside != "style" and data.strip():
            self.texts.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        """Return all texts in their order."""
        return " ".join(self.texts)


def rendered(view: LiveView, health: AgentHealth = views.HEALTH, **more: object) -> str:
    arguments = {"boot_seconds": views.BOOT, "epoch_seconds": views.EPOCH, **more}
    return page.render(view, health, **arguments)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def realistic() -> LiveView:
    return views.realistic()


@pytest.fixture(scope="module")
def parsed(realistic: LiveView) -> Parsed:
    return Parsed(rendered(realistic, host="lb1", overrides=views.OVERRIDES))


@pytest.mark.parametrize(
    "expected",
    [
        "3 of 6 servers in service",
        "example/ldap2 out: bind.timeout",
        "branch/b1: no fresh verdict",
        "branch/b2 held in by floor: search.noSuchObject",
        "The last verdict was in service ; it expired 1 min 13 s ago.",
        "Held by floor. It should be out, but too few servers would remain",
        "no new connections; open ones continue. 1 h 12 min left: new kernel",
        "behind 41 s, gap 1 h 5 min",
        "1 of 2 servers lack changes that others have",
        "in service → out",
        "lb1 , as of 02:13:20 UTC",
        "Problems of the agent none",
    ],
)
def test_the_text(parsed: Parsed, expected: str) -> None:
    assert expected in parsed.text


def test_the_worst_server_comes_first(realistic: LiveView) -> None:
    text = rendered(realistic)
    order = ["example/ldap2", "example/ldap3", "example/ldap1", "branch/b1", "branch/b2"]
    places = [text.index(f'id="{server}"') for server in order]

    assert places == sorted(places)


@pytest.mark.parametrize(
    ("view", "title"),
    [
        pytest.param(
            views.realistic(),
            "1 out, 1 critical, 1 unknown, 1 warning, 1 draining - ldaphealth",
            id="some are out",
        ),
        pytest.param(LiveView(), "no server probed yet - ldaphealth", id="just begun"),
        pytest.param(
            LiveView({"c": {"c/a": views.known(views.fine("c/a"))}}),
            "1 in service - ldaphealth",
            id="no problem",
        ),
    ],
)
def test_the_title(view: LiveView, title: str) -> None:
    assert f"<title>{title}</title>" in rendered(view)


def test_a_server_that_was_not_looked_at_yet_is_counted(realistic: LiveView) -> None:
    assert "94 not probed yet" in rendered(realistic, replace(views.HEALTH, servers=100))
    assert "No server has been probed yet" in rendered(LiveView())


def test_a_verdict_that_is_not_fresh_is_in_service_no_more(realistic: LiveView) -> None:
    text = Parsed(rendered(realistic, boot_seconds=views.BOOT + 3_600)).text

    assert "0 of 6 servers in service" in text
    assert "weight 100" not in text


def test_a_broken_floor_stands_first_among_the_problems(realistic: LiveView) -> None:
    line = "example: 1 of 4 servers in service, fewer than min_in_service (2)"
    _, _, problems = rendered(realistic, floors=[line]).partition('<ul class="problems">')

    assert problems.lstrip().startswith(f"<li><b>{line}</b></li>")


def test_every_link_leads_to_something_on_the_page(parsed: Parsed) -> None:
    inside = [link.removeprefix("#") for link in parsed.links if link.startswith("#")]

    assert {"example/ldap2", "branch"} <= set(inside)
    assert set(inside) <= set(parsed.ids)
    assert len(parsed.ids) == len(set(parsed.ids))


def test_it_leads_to_other_pages_of_the_agent(realistic: LiveView) -> None:
    links = [("api/v1/status", "all of it as JSON")]

    assert '<a href="api/v1/status">all of it as JSON</a>' in rendered(realistic, links=links)


def test_errors_of_the_agent_are_shown(realistic: LiveView) -> None:
    text = Parsed(rendered(realistic, views.AILING)).text

    for expected in ("not ended: 12", "written or sent: 3", "that failed: 1", "on disk: 2"):
        assert expected in text


def test_current_problems_of_the_agent_are_shown(realistic: LiveView) -> None:
    assert "stood still" not in Parsed(rendered(realistic)).text
    text = Parsed(rendered(realistic, replace(views.HEALTH, waiting=7))).text
    assert "7 rounds are due and have not begun." in text

    late = Parsed(rendered(realistic, replace(views.HEALTH, loop_age_seconds=75.0))).text
    assert "The agent has stood still for 1 min 15 s" in late


def test_every_rule_of_the_guard_is_explained() -> None:
    fine = views.fine("c/a")
    for rule in RULES:
        for in_service, sentence in ((True, rule.keeps_in), (False, rule.keeps_out)):
            verdict = replace(fine, in_service=in_service, held_by=rule.name)
            shown = card(views.known(verdict), views.BOOT).held_sentence
            assert shown == (sentence or f"A rule keeps it {'in' if in_service else 'out'}.")


def test_every_kind_has_a_shape_of_its_own() -> None:
    shapes = (TEMPLATES / "shapes.html").read_text()
    table = re.findall(r'id=":shape-(\w+)" viewBox="0 0 16 16">(.*)</symbol>', shapes)

    assert {name for name, _ in table} == set(KINDS)
    assert len({picture for _, picture in table}) == len(KINDS)


def test_an_operators_word_without_a_reason() -> None:
    known = views.known(views.draining("c/a"))

    assert card(known, views.BOOT, CardOverride("drain", 61.0)).brief == "1 min 1 s left"
    assert card(known, views.BOOT).held_sentence.startswith("Drained by an operator")


def nasty_view(text: str) -> LiveView:
    """Return a view with the text wherever a server or a third party's check can set it."""
    board = LiveState(clock=lambda: views.EPOCH)
    verdicts = nasty_snapshot(text).verdicts
    changes = [VerdictChange(verdicts[0], each) for each in verdicts]
    held = replace(verdicts[1], server=f"{text}/{text}", in_service=True, findings=())
    for name, each in (("main", verdicts), (text, (held,))):
        by_server = {verdict.server: verdict for verdict in each}
        due = dict.fromkeys(by_server, views.BOOT + 1)
        board.publish(
            Publication(cluster=name, verdicts=by_server, due=due, changes=changes, seen=())
        )
        shadows = {
            server: beside(replace(verdict, in_service=not verdict.in_service), verdict)
            for server, verdict in by_server.items()
        }
        board.publish_shadow(ShadowPublication(cluster=name, verdicts=shadows))
    return board.view


def test_what_a_shadow_would_have_done_is_shown_where_it_differs() -> None:
    verdict = views.fine("example/ldap1")
    out = replace(verdict, in_service=False, weight=0)
    known = LiveServer(verdict=verdict, valid_until=views.BOOT + 9)
    differs = card(replace(known, shadow=beside(verdict, out)), views.BOOT)
    same = card(replace(known, shadow=beside(verdict, verdict)), views.BOOT)
    stale = card(replace(known, shadow=beside(verdict, out)), views.BOOT + 10)

    assert (differs.kind, differs.shadow) == ("fine", "would have removed ldap1")
    assert differs.brief == "shadow: would have removed ldap1"
    assert (same.shadow, stale.shadow, card(known, views.BOOT).shadow) == ("", "", "")


def nasty_page(text: str) -> str:
    override = CardOverride(text, 10.0, text)
    overrides = {server: override for server, _ in nasty_view(text).servers()}
    return rendered(
        nasty_view(text), replace(views.HEALTH, version=text), host=text, overrides=overrides
    )


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_no_text_of_a_server_becomes_an_element_or_an_attribute(text: str) -> None:
    found, harmless = Parsed(nasty_page(text)), Parsed(nasty_page("harmless"))

    if text:
        assert found.elements == harmless.elements
    assert set(found.elements) <= set(harmless.elements)
    assert found.scripts == [page.SCRIPT]


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_a_page_is_bounded_and_can_be_sent(text: str) -> None:
    sent = nasty_page(text).encode()

    assert len(sent) < 256 << 10
    assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", sent)


def test_the_policy_allows_what_stands_in_the_page_and_nothing_else(realistic: LiveView) -> None:
    text = rendered(realistic)
    policy = page.HEADERS["Content-Security-Policy"]
    for tag in ("style", "script"):
        (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = b64encode(sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert not re.search(r'\s(?:style|on\w+)="', text)
    assert not re.search(r'(?:src|href)="(?!#|data:image/svg|\?|history/)', text)


def test_the_build_changes_with_the_version(realistic: LiveView) -> None:
    other = rendered(realistic, replace(views.HEALTH, version="9"))

    assert re.findall('data-build="[0-9a-f]{12}"', rendered(realistic)) != re.findall(
        'data-build="[0-9a-f]{12}"', other
    )


def test_a_page_of_a_hundred_servers_is_small() -> None:
    view = views.many(100)
    parsed = Parsed(text := rendered(view, replace(views.HEALTH, servers=100)))

    assert len(text.encode()) < 512 << 10
    assert "95 of 100 servers in service" in parsed.text
    assert 0 < text.count("<figure>") <= 4 * 10  # only of those that are not fine
    assert text.count('<details class="server ') == 100
    assert (
        len(re.findall(r'<details class="server [^>]* open>', text)) == 8
    )  # at most, the worst first


def test_no_problem_makes_a_page_large() -> None:
    text = rendered(views.many(100, healthy=False), replace(views.HEALTH, servers=100))

    assert len(text.encode()) < 1 << 20
    assert text.count("<figure>") <= 4 * page.MOST_PLOTTED
    assert len(re.findall(r'<details class="server [^>]* open>', text)) == page.MOST_OPEN


def test_the_templates_are_in_the_wheel(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()

    assert {f"ldaphealth/page/templates/{each.name}" for each in TEMPLATES.iterdir()} <= {*names}


def test_changes_that_keep_a_server_on_its_side_are_one_row_with_a_count() -> None:
    fine, warned = views.fine("c/a"), replace(views.fine("c/a"), state=State.WARNING)
    other = views.fine("c/b")
    out = replace(fine, in_service=False)
    changes = [(None, fine), (fine, warned), (None, other), (warned, fine), (fine, warned)]
    changes += [(warned, out), (out, warned), (warned, fine)]
    dated = [
        DatedChange(views.EPOCH + at, VerdictChange(before, after))
        for at, (before, after) in enumerate(changes)
    ]

    rows = folded(reversed(dated))

    assert [(row.dated.change.after.server, row.number) for row in rows] == [
        ("c/a", 1),  # still in service
        ("c/a", 1),  # out → in service
        ("c/a", 1),  # in service → out
        ("c/a", 3),  # still in service
        ("c/b", 1),
        ("c/a", 1),  # the first verdict
    ]
    assert rows[3].since_epoch == views.EPOCH + 1
    text = rendered(LiveView({}, tuple(reversed(dated))))
    assert "still in service, warning" in text
    assert "(3 times since 02:13:21)" in text


def test_a_frozen_server_is_no_problem_of_the_agent() -> None:
    text = " ".join(Parsed(rendered(LiveView(), replace(views.HEALTH, overruns=12))).texts)

    assert "Problems of the agent none" in text
    assert "Rounds left out because the one before on the same server had not ended: 12." in text
    assert "the log names the servers" in text


def test_a_change_by_an_operator_names_the_user_the_end_and_the_reason() -> None:
    note = OverrideNote(
        action="drain", by="alice", reason="<new kernel>", until_epoch=views.EPOCH + 60
    )
    fine = views.fine("c/a")
    drained = replace(fine, in_service=False, draining=True, override=note)
    changes = (
        DatedChange(views.EPOCH, VerdictChange(drained, fine, "bob")),
        DatedChange(views.EPOCH, VerdictChange(fine, drained)),
    )
    text = Parsed(rendered(LiveView({}, changes))).text

    words = "drained by alice until 2026-11-23T02:14:20Z: <new kernel>"
    assert f"taken back by bob: {words}" in text
    assert text.count(words) == 2
