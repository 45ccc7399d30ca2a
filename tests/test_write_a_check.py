"""The tutorial is true: its module, package, test and configuration work as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from demo.cluster import Cluster

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "write-a-check.md"
BLOCK = re.compile(r"```\w+\n# (\S+)\n(.*?)```", re.DOTALL)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Return a directory with all files of the tutorial, installed as far as Python can tell."""
    for name, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        (tmp_path / name).write_text(text)
    project = tomllib.loads((tmp_path / "pyproject.toml").read_text())["project"]
    info = tmp_path / "ldaphealth_root_dse-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    points = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in rows.items())
        for group, rows in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(points))
    return tmp_path


def run(package: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=package,
        env=os.environ | {"PYTHONPATH": f"{package}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_there_are_a_module_a_package_a_test_and_a_configuration(package: Path) -> None:
    names = {path.name for path in package.iterdir() if path.is_file()}

    assert names == {
        "ldaphealth_root_dse.py",
        "pyproject.toml",
        "test_root_dse.py",
        "ldaphealth.yaml",
    }


def test_its_own_test_passes(package: Path) -> None:
    done = run(package, "pytest", "-q", "-p", "no:cacheprovider", "test_root_dse.py")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_the_types_of_tutorial_and_example_hold_without_an_exception(package: Path) -> None:
    example = ROOT / "examples" / "third_party_check" / "ldaphealth_naming_context.py"
    config = ROOT / "pyproject.toml"
    files = [package / "ldaphealth_root_dse.py", package / "test_root_dse.py", example]

    done = run(package, "mypy", "--strict", "--config-file", str(config), *map(str, files))

    assert done.returncode == 0, done.stdout
    assert not [path for path in files if re.search(r"type: ignore|\bcast\(", path.read_text())]
    imports = {
        line
        for path in files
        for line in path.read_text().splitlines()
        if re.match(r"\s*(from|import) ldaphealth\b(?!_)", line)
    }
    assert {line.split()[1] for line in imports} == {"ldaphealth.plugin"}


def test_the_configuration_is_taken_and_its_mistakes_are_told(package: Path) -> None:
    file = package / "ldaphealth.yaml"

    right = run(package, "ldaphealth", "config", "check", "ldaphealth.yaml")
    file.write_text(file.read_text().replace("controls:", "contrls:"))
    wrong = run(package, "ldaphealth", "config", "check", "ldaphealth.yaml")

    assert (right.returncode, wrong.returncode) == (0, 3)
    assert "root_dse" in right.stdout
    assert "contrls: unknown key; did you mean controls?" in wrong.stderr


@pytest.mark.slapd
def test_real_servers_are_judged_by_it(package: Path, cluster: Cluster) -> None:
    file = package / "ldaphealth.yaml"
    first, second = cluster.nodes[:2]
    text = file.read_text().replace("ldap://192.0.2.11", first.uri)
    file.write_text(text.replace("ldap://192.0.2.12", second.uri))

    well = run(package, "ldaphealth", "check", "--config", "ldaphealth.yaml", "--verbose")
    file.write_text(file.read_text().replace("4203.1.9.1.1", "4203.1.9.9.9"))
    bad = run(package, "ldaphealth", "check", "--config", "ldaphealth.yaml")

    assert "root_dse.ok: supports all controls" in " ".join(well.stdout.split())
    assert "root_dse.missing: does not support 1.3.6.1.4.1.4203.1.9.9.9" in " ".join(
        bad.stdout.split()
    )
