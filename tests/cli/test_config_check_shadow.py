"""`ldaphealth config check` says that a cluster has a shadow, and what differs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_main import CONFIG, run

SHADOW = "    shadow: {settle: {fall_soft: 1}, checks: {search: {seconds: {critical: 1}}}}\n"
SOFT = "settle.fall_soft 1 instead of 3"


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "ldaphealth.yaml"
    path.write_text(CONFIG + SHADOW)
    return str(path)


def test_for_people(config: str) -> None:
    status, out, err = run("config", "check", config)

    assert (status, err) == (0, "")
    assert out.splitlines()[1] == (
        f"{config}: cluster example: shadow: {SOFT}, checks.search.seconds.warning none instead of "
        "0.5, checks.search.seconds.critical 1 instead of 2"
    )


def test_for_programs(config: str, tmp_path: Path) -> None:
    (plain := tmp_path / "plain.yaml").write_text(CONFIG)
    differs, none = (
        json.loads(run("config", "check", file, "--format", "json")[1])["clusters"]["example"]
        for file in (config, str(plain))
    )

    first = {"setting": "settle.fall_soft", "cluster": "3", "shadow": "1"}
    assert differs["shadow"][0] == first
    assert none["shadow"] is None
