"""A check of another package, as examples/third_party_check has it, judges a real server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from demo.cluster import Cluster
from demo.tree import CHECK_DN, SUFFIX

pytestmark = pytest.mark.slapd

EXAMPLE = Path(__file__).parents[2] / "examples" / "third_party_check"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Return a directory that looks as if pip had installed the example there."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    shutil.copy(EXAMPLE / "ldaphealth_naming_context.py", tmp_path)
    metadata = tmp_path / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    points = "".join(
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in each.items())
        for group, each in project["entry-points"].items()
    )
    (metadata / "entry_points.txt").write_text(points)
    return tmp_path


@pytest.mark.parametrize(("suffix", "out"), [(SUFFIX, set()), ("dc=nowhere", {"naming_context"})])
def test_a_check_of_another_package_decides(
    cluster: Cluster, installed: Path, tmp_path: Path, suffix: str, out: set[str]
) -> None:
    node = cluster.nodes[0]
    config = tmp_path / "ldaphealth.yaml"
    password_file = cluster.accounts.check.password_file
    config.write_text(
        f"credentials: {{probe: {{dn: '{CHECK_DN}', password_file: {password_file}}}}}\n"
        f"clusters:\n  c:\n    suffix: {SUFFIX}\n    credentials: probe\n    min_in_service: 0\n"
        f"    servers: {{ldap1: '{node.uri}'}}\n"
        f"    checks: {{naming_context: {{suffix: '{suffix}'}}}}\n"
    )

    done = subprocess.run(
        [sys.executable, "-m", "ldaphealth", "check", "--config", config, "--format", "json"],
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    verdict = json.loads(done.stdout)["verdicts"][0]
    assert {r["code"].partition(".")[0] for r in verdict["reasons"]} == out, done.stderr
    assert done.returncode == (1 if out else 0)
    assert "naming_context" in [finding["check"] for finding in verdict["findings"]]
