"""A survey of another package is used like a built-in check, or refused in one clear line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULE = """\
from ldaphealth.plugin import Check, Struct, SurveyResult

class Params(Struct, frozen=True):
    interval_seconds: float = 60.0
    {field}: float = 5.0

class Facts(Struct, frozen=True):
    pass

CHECK = Check(
    name="landscape", params=Params, facts=Facts, judge=lambda view, params: (),
    survey=lambda context: SurveyResult({{}}),
)
"""
CONFIG = 'clusters: {c: {servers: {s: "ldap://127.0.0.1:1"}, checks: {landscape: {}}}}'


@pytest.mark.parametrize(
    ("field", "status", "words"),
    [
        ("deadline_seconds", 0, "landscape"),
        ("patience_seconds", 3, "lack interval_seconds or deadline_seconds"),
    ],
)
def test_a_survey_of_another_package(tmp_path: Path, field: str, status: int, words: str) -> None:
    (tmp_path / "landscape.py").write_text(MODULE.format(field=field))
    metadata = tmp_path / "landscape-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Name: landscape\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[ldaphealth.checks]\nlandscape = landscape:CHECK\n")
    config = tmp_path / "ldaphealth.yaml"
    config.write_text(CONFIG)

    done = subprocess.run(
        [sys.executable, "-m", "ldaphealth", "config", "check", config],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == status, done.stderr
    assert words in done.stdout + done.stderr
