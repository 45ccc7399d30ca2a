"""With the rights of `ldaphealth setup`, and no others, the doctor finds nothing wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from demo import wait
from tests.slapd.doctor_run import doctor
from tests.slapd.strict_site import StrictSite

pytestmark = pytest.mark.slapd


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StrictSite]:
    with ExitStack() as running:
        yield StrictSite(tmp_path_factory.mktemp("strict"), "cn=config", running)


def test_every_kind_of_check_is_tried_with_the_least_rights(site: StrictSite) -> None:
    """The surveys, too: no agent runs that would do them."""
    found = doctor(site.config)

    assert set(found.problems) == {"agent.not_running"}
    assert found.covered["findings"] == "2 of 2 servers"
    assert found.covered["clocks"].startswith("2 of 2 servers, to ")


def test_a_running_agent_keeps_its_tokens(site: StrictSite) -> None:
    site.agent.launch()
    try:
        socket = site.directory / "run" / "agent.sock"
        assert wait.comes_true(socket.exists, 20.0, 0.2)
        assert wait.comes_true(lambda: len(site.findings()) > 10, 20.0, 0.5)
        found = doctor(site.config)
        lost = [each for each in site.findings() if each["code"] == "lost"]
    finally:
        site.agent.stop()

    assert (found.exit_status, dict(found.problems), lost) == (0, {}, [])
    assert "propagation was not run: " in found.covered["findings"]
