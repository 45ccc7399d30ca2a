"""The monitoring's user uses the plugin by its group: files of mode 0640, the agent's socket."""

from __future__ import annotations

import grp
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.cluster import Cluster
from demo.tree import CHECK_DN, CHECK_PASSWORD, SUFFIX
from tests.slapd.running_agent import RunningAgent

GROUP = "games"  # of every Debian, and with no rights
GROUP_ID = grp.getgrnam(GROUP).gr_gid
USER_ID = 65534
AS_OTHER_USER = ["setpriv", f"--reuid={USER_ID}", f"--regid={USER_ID}"]
AS_MEMBER = [*AS_OTHER_USER, f"--groups={GROUP_ID}"]
AS_STRANGER = [*AS_OTHER_USER, "--clear-groups"]
ROOT = Path(__file__).parents[2]
PLUGIN = "from ldaphealth.cli.check_ldaphealth import main; main()"


pytestmark = [
    pytest.mark.slapd,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can run the plugin as another user"),
]
CONFIG = """\
credentials: {{probe: {{dn: "{dn}", password_file: {password}}}}}
clusters:
  c: {{suffix: "{suffix}", credentials: probe, servers: {{ldap1: "{uri}"}}}}
"""


def interpreter() -> str:
    """Return a Python of this version that every user may run; "" if there is none."""
    version = ".".join(map(str, sys.version_info[:2]))
    for each in (sys.executable, shutil.which(f"python{version}", path="/usr/bin:/usr/local/bin")):
        if (
            each
            and not subprocess.run(
                [*AS_STRANGER, each, "-c", ""], stderr=subprocess.DEVNULL, check=False
            ).returncode
        ):
            return each
    return ""


@pytest.fixture
def shared() -> Iterator[Path]:
    """Return a directory that every user may enter."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory


def plugin(*arguments: str | Path, member: bool) -> tuple[int, str]:
    """Run the plugin as another user, who is a member of the group or of none."""
    python = interpreter()
    if not python:
        pytest.skip("no Python that other users may run")
    packages = [str(ROOT), *(each for each in sys.path if each.endswith("site-packages"))]
    done = subprocess.run(
        [*(AS_MEMBER if member else AS_STRANGER), python, "-c", PLUGIN, *arguments],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": os.pathsep.join(packages)},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def written(cluster: Cluster, directory: Path) -> Path:
    """Return a configuration that all may read, with a password that the group may read."""
    password = directory / "password"
    password.write_text(CHECK_PASSWORD)
    os.chown(password, 0, GROUP_ID)
    password.chmod(0o640)
    config = directory / "ldaphealth.yaml"
    uri = cluster.nodes[0].uri
    config.write_text(CONFIG.format(dn=CHECK_DN, password=password, suffix=SUFFIX, uri=uri))
    config.chmod(0o644)
    return config


def test_a_member_of_the_group_checks_the_servers_of_the_configuration(
    cluster: Cluster, shared: Path
) -> None:
    config = written(cluster, shared)

    status, printed = plugin("--config", config, "--cluster", "c", member=True)

    assert printed.startswith("LDAP OK - ")
    assert status == 0


def test_a_stranger_gets_one_line_that_names_the_group(cluster: Cluster, shared: Path) -> None:
    config = written(cluster, shared)

    status, printed = plugin("--config", config, "--cluster", "c", member=False)

    first, *others = printed.splitlines()
    assert first.startswith("LDAP UNKNOWN - ")
    assert len(first) < 80
    assert printed.count("only the user root and members of the group games may read it") == 1
    assert len(others) <= 1
    assert status == 3


def test_the_same_for_a_configuration_that_the_group_may_read(
    cluster: Cluster, shared: Path
) -> None:
    config = written(cluster, shared)
    os.chown(config, 0, GROUP_ID)
    config.chmod(0o640)

    assert plugin("--config", config, "--cluster", "c", member=True)[0] == 0
    status, printed = plugin("--config", config, "--cluster", "c", member=False)
    assert "only the user root and members of the group games may read it" in printed
    assert status == 3


def test_the_group_of_the_socket_queries_the_agent(cluster: Cluster, shared: Path) -> None:
    with RunningAgent(cluster, shared, more=f", socket_group: {GROUP}") as agent:
        socket = agent.directory / "run" / "agent.sock"
        status, printed = plugin("--agent", "--socket", socket, member=True)
        assert printed.startswith("LDAP OK - ")
        assert status == 0

        status, printed = plugin("--agent", "--socket", socket, member=False)
        assert "members of the group games may use it" in printed
        assert status == 3
