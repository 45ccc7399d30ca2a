"""A real Chromium without a window, driven through chromedriver, with a profile of its own.

The tests of the page share one process; each opens the page anew.
"""

from __future__ import annotations

import shutil
from base64 import b64decode
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

PROGRAMS = [shutil.which("chromium"), shutil.which("chromedriver")]
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
PATIENCE_SECONDS = 20.0
OPTIONS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--disable-dev-shm-usage",
)


def start(profile: Path) -> webdriver.Chrome:
    """Start one; the caller quits it."""
    browser, driver = PROGRAMS
    assert browser
    assert driver
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for option in (*OPTIONS, f"--user-data-dir={profile}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options=options, service=Service(driver))
    started.set_page_load_timeout(PATIENCE_SECONDS)
    started.set_script_timeout(PATIENCE_SECONDS)
    return started


def look_like(chrome: webdriver.Chrome, width: int, scheme: str = "light") -> None:
    """Be as wide as that, in CSS pixels, with the colours of day or night."""
    command: Any = chrome.execute_cdp_cmd
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    command("Emulation.setDeviceMetricsOverride", size)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    command("Emulation.setEmulatedMedia", media)


def complaints(chrome: webdriver.Chrome) -> list[str]:
    """Return the console's messages since the last call: errors, and violations of the policy."""
    entries: Any = chrome.get_log("browser")  # type: ignore[no-untyped-call]
    return [f"{each['level']}: {each['message']}" for each in entries]


def screenshot(chrome: webdriver.Chrome, name: str) -> Path:
    """Keep a picture of the whole page."""
    command: Any = chrome.execute_cdp_cmd
    height = chrome.execute_script("return document.documentElement.scrollHeight")
    width = chrome.execute_script("return innerWidth")
    clip = {"x": 0, "y": 0, "width": width, "height": min(height, 6_000), "scale": 1}
    taken = command("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    path = SCREENSHOTS / f"{name}.png"
    path.write_bytes(b64decode(taken["data"]))
    return path
