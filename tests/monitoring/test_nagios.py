"""Nagios itself takes the example, runs the plugin against a real slapd, and believes it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from demo import wait
from demo.cluster import Cluster
from demo.programs import find
from demo.tree import CHECK_DN
from tests.monitoring.programs import EXAMPLES, GROUP, PLUGIN_DIRECTORY, USER, running

OBJECTS = Path("/etc/nagios4/objects")  # generic-host and what it needs, from the package
EXAMPLE = (EXAMPLES / "nagios" / "ldaphealth.cfg").read_text()
OK, CRITICAL, UNKNOWN = "0", "2", "3"
PATIENCE_SECONDS = 40.0
# Everything that Nagios would write elsewhere lies in one directory; a minute lasts a second.
MAIN = """\
log_file={directory}/nagios.log
cfg_file={objects}/commands.cfg
cfg_file={objects}/contacts.cfg
cfg_file={objects}/timeperiods.cfg
cfg_file={objects}/templates.cfg
cfg_file={directory}/ldaphealth.cfg
resource_file={directory}/resource.cfg
object_cache_file={directory}/objects.cache
status_file={directory}/status.dat
temp_file={directory}/nagios.tmp
temp_path={directory}
check_result_path={directory}
state_retention_file={directory}/retention.dat
command_file={directory}/nagios.cmd
lock_file={directory}/nagios.pid
query_socket={directory}/nagios.qh
nagios_user={user}
nagios_group={group}
check_external_commands=0
check_for_updates=0
enable_notifications=0
use_syslog=0
interval_length=1
status_update_interval=1
check_result_reaper_frequency=1
service_inter_check_delay_method=n
host_inter_check_delay_method=n
illegal_macro_output_chars=`~$&|'"<>
"""


def configured(directory: Path, example: str) -> Path:
    """Write a configuration with this example; return its main file."""
    (directory / "ldaphealth.cfg").write_text(example)
    (directory / "resource.cfg").write_text(f"$USER1$={PLUGIN_DIRECTORY}\n")
    main = directory / "nagios.cfg"
    main.write_text(MAIN.format(directory=directory, objects=OBJECTS, user=USER, group=GROUP))
    return main


def verified(main: Path) -> tuple[int, str]:
    """Return what Nagios says of a configuration."""
    nagios = find("nagios4", "nagios4-core")
    done = subprocess.run(
        [nagios, "-v", main], capture_output=True, text=True, timeout=30, check=False
    )
    return done.returncode, done.stdout


def test_nagios_takes_the_example(tmp_path: Path) -> None:
    status, said = verified(configured(tmp_path, EXAMPLE))

    assert (status, "Total Errors:   0" in said) == (0, True), said
    assert f"Checked {EXAMPLE.count('define service')} services." in said


def test_nagios_refuses_it_once_a_command_is_gone(tmp_path: Path) -> None:
    broken = EXAMPLE.replace("command_name    check_ldaphealth_as", "command_name    other")
    status, said = verified(configured(tmp_path, broken))

    assert (status, "check_ldaphealth_as" in said) == (1, True)


class Nagios:
    """One that runs, and what it says of its services."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def service(self, description: str) -> dict[str, str]:
        """Return the newest status of one service; empty as long as there is none."""
        path = self._directory / "status.dat"
        text = path.read_text() if path.exists() else ""
        for block in re.findall(r"servicestatus \{(.*?)\n\t\}", text, re.DOTALL):
            found = dict(line.strip().split("=", 1) for line in block.splitlines() if "=" in line)
            if found["service_description"] == description and found["has_been_checked"] == "1":
                return found
        return {}

    def wait_for(self, description: str, state: str) -> dict[str, str]:
        """Wait until the service is in this state, and return its status."""
        wait.until(
            lambda: self.service(description).get("current_state") == state,
            PATIENCE_SECONDS,
            f"{description} is not {state}: {self.service(description)}",
        )
        return self.service(description)


@pytest.mark.slapd
def test_nagios_sees_a_server_live_and_die(cluster: Cluster, tmp_path: Path) -> None:
    node = cluster.nodes[0]
    here = (
        EXAMPLE.replace("192.0.2.11", "127.0.0.1")
        .replace("_LDAP_PORT              389", f"_LDAP_PORT {node.uri.rpartition(':')[2]}")
        .replace("/etc/nagios4/ldap.password", str(cluster.accounts.check.password_file))
        .replace("cn=ldaphealth,dc=example,dc=com", CHECK_DN)
    )
    main = configured(tmp_path, here)
    environment = os.environ | {"LDAPHEALTH_SOCKET": str(tmp_path / "no-agent.sock")}
    nagios = Nagios(tmp_path)
    with running([str(find("nagios4", "nagios4-core")), str(main)], environment, tmp_path / "log"):
        alive = nagios.wait_for("LDAP people", OK)
        no_agent = nagios.wait_for("LDAP cluster", UNKNOWN)
        node.terminate()
        dead = nagios.wait_for("LDAP people", CRITICAL)

    assert alive["plugin_output"].startswith("LDAP OK - found 20 entries in 0.")
    assert re.match(r"time=0\.\d+s;;;0 entries=20;;10:;0 ", alive["performance_data"])
    assert "no agent runs here" in no_agent["plugin_output"]
    # Nagios writes a colon for each semicolon.
    assert dead["plugin_output"].startswith("LDAP CRITICAL - 127.0.0.1 out: connect.connect: ")
    assert "OUT of service, weight 0" in dead["long_plugin_output"]
