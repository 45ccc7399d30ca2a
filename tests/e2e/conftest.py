"""Shows what the end-to-end tests measured, also when they ran in processes of pytest-xdist."""

from __future__ import annotations

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Write the table that a test has recorded as its property, whether it passed or not."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            table = dict(getattr(report, "user_properties", ())).get("table")
            if table and report.when == "call":
                terminalreporter.section(report.nodeid)
                terminalreporter.write(table)
