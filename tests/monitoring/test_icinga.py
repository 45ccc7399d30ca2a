"""Icinga 2 itself takes the example, runs the plugin against a real slapd, and believes it."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

import pytest

from demo import wait
from demo.cluster import Cluster
from demo.programs import find
from demo.tree import CHECK_DN, PEOPLE
from tests.monitoring.programs import EXAMPLES, GROUP, PLUGIN_DIRECTORY, USER, running

EXAMPLE = (EXAMPLES / "icinga2" / "ldaphealth.conf").read_text()
PATIENCE_SECONDS = 40.0
DIRECTORIES = ("CacheDir", "DataDir", "LogDir", "InitRunDir", "SpoolDir")
MAIN = """\
const PluginDir = "{plugins}"
const NodeName = "test"
include <itl>
include <plugins>
include "{directory}/ldaphealth.conf"

object CheckerComponent "checker" {{ }}
// It has no status file; this one writes what became of each check, to a new file every second.
object PerfdataWriter "told" {{
  service_perfdata_path = "{directory}/told"
  service_temp_path = "{directory}/telling"
  host_perfdata_path = "{directory}/hosts"
  host_temp_path = "{directory}/hosts-telling"
  service_format_template = "$host.name$!$service.name$ $service.state$ [$service.perfdata$] $service.output$"
  rotation_interval = 1s
}}
"""  # noqa: E501


def configured(directory: Path, example: str) -> Path:
    """Write a configuration with this example; return its main file."""
    (directory / "ldaphealth.conf").write_text(example)
    main = directory / "icinga2.conf"
    main.write_text(MAIN.format(plugins=PLUGIN_DIRECTORY, directory=directory))
    return main


def command(main: Path, *options: str) -> list[str]:
    """Return the command line of Icinga with all that it writes beside the configuration."""
    icinga = str(find("icinga2", "icinga2-bin"))
    defined = [f"--define={name}={main.parent}" for name in DIRECTORIES]
    return [icinga, "daemon", *options, "-c", str(main), *defined]


def environment(main: Path) -> dict[str, str]:
    """Return who Icinga runs as: ourselves."""
    no_agent = str(main.parent / "no-agent.sock")
    return os.environ | {
        "ICINGA2_USER": USER,
        "ICINGA2_GROUP": GROUP,
        "LDAPHEALTH_SOCKET": no_agent,
    }


def validated(main: Path) -> tuple[int, str]:
    """Return what Icinga says of a configuration."""
    done = subprocess.run(
        command(main, "-C"),
        env=environment(main),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout


def test_icinga_takes_the_example(tmp_path: Path) -> None:
    status, said = validated(configured(tmp_path, EXAMPLE))

    assert (status, "critical/" in said, "warning/" in said) == (0, False, False), said
    assert "Instantiated 3 Services" in said


def test_icinga_refuses_it_once_the_command_is_gone(tmp_path: Path) -> None:
    broken = EXAMPLE.replace('CheckCommand "ldaphealth"', 'CheckCommand "other"')
    status, said = validated(configured(tmp_path, broken))

    assert (status, "ldaphealth" in said) == (1, True)


class Icinga:
    """One that runs, and what it heard."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def heard(self, start: str) -> str:
        """Return the first line that begins so, or nothing."""
        for path in sorted(self._directory.glob("told*")):
            with contextlib.suppress(FileNotFoundError):
                for line in path.read_text().splitlines():
                    if line.startswith(start):
                        return line
        return ""

    def wait_for(self, start: str) -> str:
        """Wait until it wrote a line that begins so."""
        complaint = f"nothing begins with {start}"
        wait.until(lambda: bool(self.heard(start)), PATIENCE_SECONDS, complaint)
        return self.heard(start)


@pytest.mark.slapd
def test_icinga_sees_a_server_live_and_die(cluster: Cluster, tmp_path: Path) -> None:
    node = cluster.nodes[0]
    here = (
        EXAMPLE.replace("192.0.2.11", "127.0.0.1")
        .replace(
            'vars.ldap_base = "dc=example,dc=com"',
            f'vars.ldap_base = "{PEOPLE}"; vars.ldap_bind = "{CHECK_DN}"; '
            f'vars.ldaphealth_password_file = "{cluster.accounts.check.password_file}"; '
            f"vars.ldap_port = {node.uri.rpartition(':')[2]}",
        )
        .replace("check_interval = 1m", "check_interval = 1s")
        .replace("retry_interval = 15s", "retry_interval = 1s")
        .replace(
            "  vars.ldaphealth_agent = true", "  check_interval = 1s; vars.ldaphealth_agent = true"
        )
    )
    main = configured(tmp_path, here)
    icinga = Icinga(tmp_path)
    with running(command(main), environment(main), tmp_path / "log"):
        alive = icinga.wait_for("ldap1!ldap OK ")
        no_agent = icinga.wait_for("balancer1!ldap-replication-example UNKNOWN ")
        node.terminate()
        dead = icinga.wait_for("ldap1!ldap CRITICAL ")

    assert "] LDAP OK - 0." in alive
    assert " [time=0." in alive
    assert "s;0.5;2;0 " in alive
    assert "no agent runs here" in no_agent
    assert "] LDAP CRITICAL - 127.0.0.1 out: connect.connect; " in dead
