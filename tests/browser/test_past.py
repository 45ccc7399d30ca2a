"""The pages of the history in a real browser: they fit, also on a telephone, and have no script.

Pictures of them are kept in build/screenshots.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from ldaphealth.page.view_period import VIEW_PERIODS
from ldaphealth.text.moment import moment
from tests.browser.chromium import complaints, look_like, screenshot
from tests.browser.test_page import AXE
from tests.page import views
from tests.web.listening import Listening, cluster
from tests.web.past_site import PastSite, verdicts

PATHS = {"server": "history/example/ldap2", "cluster": "history/example"}


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of an agent's web server that has a history."""
    path = tmp_path_factory.mktemp("past") / "history.sqlite3"
    PastSite(path, time.time()).write()
    with Listening((cluster("example", "ldap1", "ldap2"),), history_file=path) as listening:
        listening.publish(*verdicts())
        yield f"http://127.0.0.1:{listening.port}/"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 360, 768, 1280])
@pytest.mark.parametrize("name", PATHS)
def test_it_fits_and_has_no_errors(
    chrome: webdriver.Chrome, web: str, name: str, width: int, scheme: str
) -> None:
    look_like(chrome, width, scheme)
    chrome.get(f"{web}{PATHS[name]}")
    widest = chrome.execute_script("return document.documentElement.scrollWidth")
    screenshot(chrome, f"past-{name}-{width}-{scheme}")

    assert complaints(chrome) == []
    assert widest <= width


@pytest.mark.parametrize("width", [320, 1280])
def test_the_longest_names_and_a_server_that_is_out_fit(
    chrome: webdriver.Chrome, tmp_path: Path, width: int
) -> None:
    name, server = "c" * 64, "s" * 64
    path = tmp_path / "history.sqlite3"
    PastSite(path, time.time()).write()
    look_like(chrome, width)
    with Listening((cluster(name, server),), history_file=path) as listening:
        listening.publish(views.silent(f"{name}/{server}"))
        for target in (f"{name}/{server}", name):
            chrome.get(f"http://127.0.0.1:{listening.port}/history/{target}")
            widest = chrome.execute_script("return document.documentElement.scrollWidth")
            screenshot(chrome, f"past-long-{target.count('/')}-{width}")
            assert widest <= width

    assert complaints(chrome) == []


@pytest.mark.parametrize("period", ["hour", "week", "month", "year"])
def test_each_period_has_its_plots_without_a_script(
    chrome: webdriver.Chrome, web: str, period: str
) -> None:
    chrome.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    chrome.get(f"{web}{PATHS['server']}")
    chrome.find_element(By.LINK_TEXT, period).click()
    assert f"last {period}" in chrome.title
    assert len(chrome.find_elements(By.CSS_SELECTOR, ".past-plots figure")) >= 8

    chrome.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    screenshot(chrome, f"past-server-{period}")
    assert complaints(chrome) == []


@pytest.mark.parametrize("days_ago", [0, 2, 11])
@pytest.mark.parametrize("period", VIEW_PERIODS)
def test_no_text_of_a_plot_is_cut_or_upon_another(
    chrome: webdriver.Chrome, web: str, period: str, days_ago: int
) -> None:
    until = moment(time.time() - days_ago * 1.03 * 86_400)
    chrome.get(f"{web}{PATHS['server']}?period={period}&until={until}")
    for width in (320, 1280):
        look_like(chrome, width)
        assert chrome.execute_script(OVERLAPS) == [], (width, until)


OVERLAPS = """
    const found = [];
    for (const svg of document.querySelectorAll("main figure svg")) {
        const room = svg.classList.contains("band") ? svg.closest("section") : svg;
        const whole = room.getBoundingClientRect();
        const texts = [...svg.querySelectorAll("text")].map((each) => each.getBoundingClientRect());
        texts.forEach((one, number) => {
            if (one.left < whole.left - 1 || one.right > whole.right + 1)
                found.push(`${svg.querySelectorAll("text")[number].textContent} is cut`);
            for (const other of texts.slice(number + 1))
                if (one.left < other.right && other.left < one.right
                    && one.top < other.bottom && other.top < one.bottom) found.push("upon another");
        });
    }
    return found;
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PATHS)
def test_everyone_can_use_it(chrome: webdriver.Chrome, web: str, name: str, scheme: str) -> None:
    look_like(chrome, 1280, scheme)
    chrome.get(f"{web}{PATHS[name]}")
    chrome.execute_script(AXE.read_text("utf-8"))
    command: Any = chrome.execute_async_script
    found = command("axe.run().then(arguments[0])")["violations"]

    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []


def test_one_comes_from_the_page_to_a_server_and_back(chrome: webdriver.Chrome, web: str) -> None:
    chrome.get(web)
    chrome.find_element(By.CSS_SELECTOR, "h2 .history").click()
    chrome.find_element(By.LINK_TEXT, "ldap2").click()
    chrome.find_element(By.LINK_TEXT, "month").click()
    assert "example/ldap2: in service" in chrome.find_element(By.TAG_NAME, "h1").text
    chrome.find_element(By.LINK_TEXT, "the month before").click()
    chrome.find_element(By.LINK_TEXT, "the month after").click()
    chrome.find_element(By.LINK_TEXT, "example").click()
    assert chrome.current_url.endswith("/history/example?period=month")
    chrome.find_element(By.LINK_TEXT, "all servers").click()
    assert chrome.current_url == web
