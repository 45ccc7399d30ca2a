"""What an agent saw in hours with faults, reloads and restarts gives the same verdicts again.

The files of the journal are all that is used; verdicts are compared with all of their findings and
numbers.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agent.recorded import Recording
from tests.agent.simulated_site import Site
from tests.agent.test_simulated_day import DAY_SECONDS, EVENTS

PART = 1 / 12  # of a day; `--days 12` is a whole one
OFTEN = 4  # so that a part of a day has them all


def test_hours_with_random_faults_are_replayed_bit_for_bit(
    pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    site = Site(seed=2)
    recording = Recording(site, tmp_path)
    end, at = DAY_SECONDS * PART * pytestconfig.getoption("days"), 0.0
    restarts = 0
    while site.now < end:
        passed, at = site.now - at, site.now
        for seconds, event in EVENTS:
            if site.random.random() < OFTEN * passed / seconds:
                event(site)
                restarts += event is Site.restart
        site.step()
    recording.close()

    assert restarts
    assert site.changes > 100 * pytestconfig.getoption("days")
    assert recording.computed_again() == recording.published
