"""debian/ agrees with the rest of the repository; `make deb-test` builds and tries the package."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from ldaphealth import __version__

ROOT = Path(__file__).parents[1]
DEBIAN = ROOT / "debian"


def test_the_changelog_begins_with_the_version_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    newest = (DEBIAN / "changelog").read_text().partition("\n")[0]

    assert newest.startswith(f"{project['name']} ({project['version']}) ")
    assert project["version"] == __version__


def test_there_is_a_program_for_each_of_the_project() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    started = {
        path.name: re.findall(r"^from (\S+) import main$", path.read_text(), re.MULTILINE)
        for path in (DEBIAN / "bin").iterdir()
    }

    assert started == {name: [at.partition(":")[0]] for name, at in scripts.items()}


def test_the_copyright_names_every_package_that_is_contained() -> None:
    text = (DEBIAN / "copyright").read_text().lower().replace("_", "-")
    locked = re.findall(r"^([a-z0-9-]+)==", (ROOT / "locks/runtime.txt").read_text(), re.MULTILINE)

    assert [name for name in locked if name not in text] == ["pyyaml"]


def test_the_unit_has_the_lines_that_the_package_changes() -> None:
    unit = (ROOT / "examples" / "ldaphealth-agent.service").read_text()

    assert len(re.findall(r"^Before=", unit, re.MULTILINE)) == 1
    assert unit.count("/opt/ldaphealth/bin/ldaphealth agent") == 1


@pytest.mark.parametrize("script", ["postinst", "prerm", "postrm"])
def test_the_scripts_of_the_maintainer_are_shell(script: str) -> None:
    done = subprocess.run(
        ["/bin/sh", "-n", DEBIAN / f"ldaphealth.{script}"], timeout=10, check=False
    )

    assert done.returncode == 0
    assert "#DEBHELPER#" in (DEBIAN / f"ldaphealth.{script}").read_text()


def test_directories_are_made_as_by_the_unit() -> None:
    unit = (ROOT / "examples" / "ldaphealth-agent.service").read_text()
    lines = (DEBIAN / "ldaphealth.tmpfiles").read_text()
    made = re.findall(r"^d (\S+) (\d+) (\S+) ", lines, re.MULTILINE)

    mode = re.findall(r"^StateDirectoryMode=(\d+)$", unit, re.MULTILINE)[0]
    assert made == [
        ("/run/ldaphealth", "0755", "ldaphealth"),
        ("/var/lib/ldaphealth", mode, "ldaphealth"),
    ]
