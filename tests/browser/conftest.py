"""One Chromium for the tests of the page, and a site that serves it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from selenium import webdriver

from ldaphealth.page import page
from tests.browser import chromium
from tests.browser.site import Site
from tests.page import views

MISSING = "no Chromium here: scripts/install-packages chromium chromium-driver"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print where the screenshots are."""
    if chromium.SCREENSHOTS.exists():
        terminalreporter.write_line(f"screenshots of the page: {chromium.SCREENSHOTS}")


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """Return the browser, or skip where there is none; continuous integration must have one."""
    if not all(chromium.PROGRAMS) and not os.environ.get("CI"):
        pytest.skip(MISSING)
    assert all(chromium.PROGRAMS), MISSING
    started = chromium.start(tmp_path_factory.mktemp("chromium"))
    yield started
    started.quit()


@pytest.fixture
def chrome(browser: webdriver.Chrome) -> webdriver.Chrome:
    """Return the browser on an empty page, as wide as a desk's, with scripts."""
    browser.get("about:blank")
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    chromium.look_like(browser, 1280)
    chromium.complaints(browser)
    return browser


@pytest.fixture(scope="session")
def realistic() -> str:
    """Return the page of two clusters with every kind of server."""
    return page.render(
        views.realistic(),
        views.AILING,
        boot_seconds=views.BOOT,
        epoch_seconds=views.EPOCH,
        host="lb1",
        overrides=views.OVERRIDES,
    )


@pytest.fixture
def site(realistic: str) -> Iterator[Site]:
    """Return a site that serves the realistic page."""
    with Site(lambda: realistic) as serving:
        yield serving
