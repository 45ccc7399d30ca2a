"""Nagios and Icinga run what is generated for them, and get the verdict of a real agent."""

from __future__ import annotations

import os
from pathlib import Path

from demo.programs import find
from ldaphealth.config import load
from ldaphealth.generate.icinga import icinga
from ldaphealth.generate.nagios import nagios
from ldaphealth.generate.site import Site
from tests.cli.started_agent import started
from tests.monitoring import test_icinga, test_nagios
from tests.monitoring.programs import running


def site_of(config: Path) -> Site:
    settings = load(config)
    return Site(settings=settings, clusters=tuple(settings.clusters.values()))


def directory_with_odd_name(tmp_path: Path) -> Path:
    """Return a directory whose name must be quoted in a command line and in an object."""
    directory = tmp_path / "a;b $c"
    directory.mkdir()
    return directory


def test_nagios_gets_the_verdict_of_the_agent(tmp_path: Path) -> None:
    with started(directory_with_odd_name(tmp_path)) as agent:
        agent.wait_for("verdict")  # it answers: the first result of a plugin is looked at
        main = test_nagios.configured(tmp_path, nagios(site_of(agent.config)))
        command = [str(find("nagios4", "nagios4-core")), str(main)]
        seen = test_nagios.Nagios(tmp_path)
        with running(command, os.environ, tmp_path / "nagios"):
            of_server = seen.wait_for("LDAP s", test_nagios.CRITICAL)
            of_check = seen.wait_for("LDAP replication", test_nagios.UNKNOWN)

    assert "connect.connect" in of_server["plugin_output"]
    # Without a connection replication has no finding; the agent has answered all the same.
    assert "no finding of replication: there are findings of connect" in of_check["plugin_output"]


def test_icinga_gets_the_verdict_of_the_agent(tmp_path: Path) -> None:
    with started(directory_with_odd_name(tmp_path)) as agent:
        agent.wait_for("verdict")
        objects = icinga(site_of(agent.config)).replace("1m", "1s")
        main = test_icinga.configured(tmp_path, objects)
        seen = test_icinga.Icinga(tmp_path)
        with running(test_icinga.command(main), test_icinga.environment(main), tmp_path / "icinga"):
            of_server = seen.wait_for("ldap-c!LDAP s CRITICAL ")

    assert "connect.connect" in of_server
