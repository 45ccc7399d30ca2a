"""The page in a real browser: what a person sees, with and without a script, near and far.

Pictures of it are kept in build/screenshots.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from demo import wait
from ldaphealth.live.live_state import LiveView
from ldaphealth.page import page
from tests.browser.chromium import PATIENCE_SECONDS, complaints, look_like, screenshot
from tests.browser.site import Site
from tests.page import views
from tests.page.test_page import nasty_page

AXE = Path(find_spec("axe_core_python").origin).parent / "axe.min.js"  # type: ignore[union-attr, arg-type]
LOOK = "document.dispatchEvent(new Event('visibilitychange'))"  # as if the tab became visible


def eventually(holds: Callable[[], object], what: str) -> None:
    """Wait until it holds."""
    assert wait.comes_true(holds, PATIENCE_SECONDS), what


def text_of(chrome: webdriver.Chrome, selector: str) -> str:
    """Return what can be seen of it, or nothing."""
    shown = f"const at = document.querySelector({selector!r});"
    return str(
        chrome.execute_script(shown + "return at.getClientRects().length ? at.innerText : ''")
    )


def rendered(view: LiveView) -> str:
    return page.render(
        view,
        views.HEALTH,
        boot_seconds=views.BOOT,
        epoch_seconds=views.EPOCH,
        overrides=views.OVERRIDES,
    )


def recovered(view: LiveView) -> LiveView:
    """Return the view after the server that was out came back."""
    example = dict(view.clusters["example"])
    back = replace(views.fine("example/ldap2"), lasted_seconds=0.0)
    example["example/ldap2"] = replace(example["example/ldap2"], verdict=back)
    return LiveView({**view.clusters, "example": example}, view.changes)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_it_has_no_errors_and_fits(
    chrome: webdriver.Chrome, site: Site, width: int, scheme: str
) -> None:
    look_like(chrome, width, scheme)
    chrome.get(site.url)
    widest = chrome.execute_script("return document.documentElement.scrollWidth")
    screenshot(chrome, f"page-{width}-{scheme}")

    assert complaints(chrome) == []
    assert widest <= width
    assert text_of(chrome, "h1") == "3 of 6 servers in service"


OPEN_ALL = "document.querySelectorAll('details').forEach((each) => { each.open = true; })"
LONG_REASON = (
    "password refused for cn=ldaphealth,ou=people,dc=example,dc=com (file "
    "/etc/ldaphealth/check.password); it is wrong, or the account is unknown, locked or expired; "
    "refused 14 s ago, next attempt in 45 s"
)


@pytest.mark.parametrize("width", [320, 360, 700, 1280])
@pytest.mark.parametrize(
    "text",
    ["x" * 400, "<script>alert(1)</script>" * 9, "\udcff\x1b[31m'\"" * 30, LONG_REASON],
    ids=["a word", "markup", "control characters", "a long reason"],
)
def test_a_long_or_hostile_text_fits_also_with_all_details_open(
    chrome: webdriver.Chrome, width: int, text: str
) -> None:
    whole = nasty_page(text)
    look_like(chrome, width)
    with Site(lambda: whole) as site:
        chrome.get(site.url)
        chrome.execute_script(OPEN_ALL)
        widest = chrome.execute_script("return document.documentElement.scrollWidth")
    if text is LONG_REASON:
        screenshot(chrome, f"page-{width}-long")

    assert complaints(chrome) == []
    assert widest <= width


def test_without_a_script_it_shows_the_same_and_reloads_itself(
    chrome: webdriver.Chrome, site: Site
) -> None:
    chrome.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    chrome.get(site.url)

    assert chrome.find_element(By.TAG_NAME, "h1").text == "3 of 6 servers in service"
    assert chrome.find_element(By.LINK_TEXT, "Reload").is_displayed()
    assert not chrome.find_element(By.CSS_SELECTOR, "button").is_displayed()
    refresh = chrome.find_element(By.CSS_SELECTOR, "meta[http-equiv=refresh]")
    assert refresh.get_dom_attribute("content") == "30"
    assert chrome.find_element(By.ID, "example/ldap2").get_dom_attribute("open") is not None
    chrome.find_element(By.LINK_TEXT, "Reload").click()
    eventually(lambda: site.requests == 2, "the link sends no request")


def test_what_is_new_comes_in_and_what_a_person_did_stays(
    chrome: webdriver.Chrome, site: Site
) -> None:
    view = views.realistic()
    site.text = lambda: rendered(view)
    chrome.get(site.url)
    chrome.execute_script("document.getElementById('example/ldap1').firstElementChild.click()")
    chrome.execute_script("document.getElementById('branch/b2').firstElementChild.click()")
    chrome.execute_script(
        "window.kept = document.getElementById('example/ldap2'); kept.firstElementChild.focus();"
        "scrollTo(0, 200)"
    )
    site.text = lambda: rendered(recovered(view))
    chrome.execute_script(LOOK)
    eventually(lambda: text_of(chrome, "h1") == "4 of 6 servers in service", "nothing is new")

    state = chrome.execute_script("""
        const open = (id) => document.getElementById(id).open;
        return {ldap1: open("example/ldap1"), ldap2: open("example/ldap2"), b2: open("branch/b2"),
            same: document.getElementById("example/ldap2") === window.kept,
            focused: document.activeElement === window.kept.firstElementChild,
            classes: window.kept.className, title: document.title, scroll: scrollY > 0,
            order: [...document.querySelectorAll(".server")].map((each) => each.id)}
    """)
    assert state == {
        "ldap1": True,  # opened by the user
        "ldap2": False,  # not opened by the user, and fine now
        "b2": False,  # closed by the user
        "same": True,
        "focused": True,
        "classes": "server fine",
        "title": "1 critical, 1 unknown, 1 warning, 1 draining - ldaphealth",
        "scroll": True,
        "order": [
            "branch/b1",
            "branch/b2",
            "branch/b3",
            "example/ldap3",
            "example/ldap1",
            "example/ldap2",
        ],
    }
    assert complaints(chrome) == []


def test_it_asks_by_itself(chrome: webdriver.Chrome, site: Site) -> None:
    chrome.get(site.url)
    eventually(lambda: site.requests >= 2, "there was no second request")


def test_an_agent_that_does_not_answer_is_reported_until_it_does(
    chrome: webdriver.Chrome, site: Site
) -> None:
    chrome.get(site.url)
    site.away()
    chrome.execute_script(LOOK)
    eventually(
        lambda: text_of(chrome, ".away-bar"), "the page does not show that the agent is away"
    )
    counted: set[str] = set()
    while len(counted) < 2:  # it goes on counting
        eventually(lambda: text_of(chrome, ".away-bar") not in counted, "it counts no seconds")
        counted.add(text_of(chrome, ".away-bar"))
    screenshot(chrome, "page-away")

    for message in counted:
        assert re.fullmatch(r"The agent does not answer\. Last answer \d+ s ago\.", message)
    assert chrome.title == "? no answer - ldaphealth"
    assert text_of(chrome, "h1") == "3 of 6 servers in service"  # what was known is still there

    site.come_back()
    chrome.execute_script(LOOK)
    eventually(lambda: not text_of(chrome, ".away-bar"), "the message stays")
    assert chrome.title == "1 out, 1 critical, 1 unknown, 1 warning, 1 draining - ldaphealth"


@pytest.mark.parametrize(
    ("status", "text", "message"),
    [
        pytest.param(503, "busy", "The agent answered with status 503.", id="busy"),
        pytest.param(200, "<h1>Log in", "The answer is not a page of the agent.", id="a proxy"),
    ],
)
def test_another_answer_is_reported(
    chrome: webdriver.Chrome, site: Site, status: int, text: str, message: str
) -> None:
    chrome.get(site.url)
    site.status, site.text = status, lambda: text
    chrome.execute_script(LOOK)

    eventually(lambda: text_of(chrome, ".away-bar").startswith(message), message)


def test_another_version_of_the_agent_is_loaded_whole(chrome: webdriver.Chrome, site: Site) -> None:
    chrome.get(site.url)
    chrome.execute_script("window.old = true")
    newer = replace(views.HEALTH, version="0.2.0")
    site.text = lambda: page.render(
        views.realistic(), newer, boot_seconds=views.BOOT, epoch_seconds=views.EPOCH
    )
    chrome.execute_script(LOOK)

    eventually(lambda: chrome.execute_script("return !window.old"), "the old script goes on")
    assert "ldaphealth 0.2.0" in text_of(chrome, "footer")


def test_a_pause_sends_no_requests(chrome: webdriver.Chrome, site: Site) -> None:
    chrome.get(site.url)
    button = chrome.find_element(By.TAG_NAME, "button")
    button.click()
    chrome.execute_script(LOOK)
    requests = site.requests
    time.sleep(0.5)

    assert (button.text, button.get_dom_attribute("aria-pressed")) == ("Paused: resume", "true")
    assert site.requests == requests
    button.click()
    eventually(lambda: site.requests > requests, "it does not continue")


def test_a_hidden_tab_sends_no_requests(chrome: webdriver.Chrome, site: Site) -> None:
    chrome.get(site.url)
    hidden = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true});"
    chrome.execute_script(hidden % "true" + LOOK)
    requests = site.requests
    time.sleep(6)

    assert site.requests == requests
    chrome.execute_script(hidden % "false" + LOOK)
    eventually(lambda: site.requests > requests, "it does not continue")


def test_a_link_to_a_server_opens_it(chrome: webdriver.Chrome, site: Site) -> None:
    chrome.get(site.url + "#example/ldap1")

    opened = "return document.getElementById('example/ldap1')?.open"
    eventually(lambda: chrome.execute_script(opened), "it is closed")
    chrome.execute_script("document.querySelector('.changes a[href$=b3]').click()")
    opened = "return document.getElementById('branch/b3')?.open"
    eventually(lambda: chrome.execute_script(opened), "it is closed")


def test_where_the_focus_is_can_be_seen(chrome: webdriver.Chrome, site: Site) -> None:
    chrome.get(site.url)
    body = chrome.find_element(By.TAG_NAME, "body")
    seen = set()
    for _ in range(12):
        body.send_keys(Keys.TAB)
        focus: Any = chrome.execute_script("""
            const at = document.activeElement, style = getComputedStyle(at);
            return [at.nodeName, style.outlineStyle, parseFloat(style.outlineWidth)]
        """)
        assert focus[1:] == ["solid", 3], focus
        seen.add(focus[0])

    assert {"A", "BUTTON", "SUMMARY"} <= seen


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing(chrome: webdriver.Chrome, site: Site, width: int, scheme: str) -> None:
    look_like(chrome, width, scheme)
    chrome.get(site.url)
    chrome.execute_script(
        "for (const each of document.querySelectorAll('details')) each.open = true"
    )
    chrome.execute_script(AXE.read_text("utf-8"))
    found: Any = chrome.execute_async_script("axe.run().then(arguments[0])")

    assert [
        (each["id"], each["impact"], [node["html"][:200] for node in each["nodes"][:3]])
        for each in found["violations"]
    ] == []
    assert len(found["passes"]) > 20


def test_axe_would_find_something(chrome: webdriver.Chrome, site: Site) -> None:
    chrome.get(site.url)
    chrome.execute_script("document.querySelector('h1').style.color = '#bbb'")
    chrome.execute_script(AXE.read_text("utf-8"))
    found: Any = chrome.execute_async_script("axe.run().then(arguments[0])")

    assert "color-contrast" in [each["id"] for each in found["violations"]]
