"""A real headless browser for pages; skipped, loudly, where there is none."""

import os
import shutil

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def browser(folder, width=1000, height=1400):
    """A browser with a profile of its own."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not program or not driver:
        words = "no browser: install chromium and chromium-driver (scripts/system-packages)"
        pytest.fail(words) if os.environ.get("CI") else pytest.skip(words)
    options = Options()
    options.binary_location = program
    for word in (*QUIET, f"--user-data-dir={folder}", f"--window-size={width},{height}"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=Service(driver))
