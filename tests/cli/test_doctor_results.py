"""A configuration that cannot be used: the doctor has the command that corrects a mode."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ldaphealth.cli.commands import cli


@pytest.mark.parametrize(
    "settings",
    [
        "credentials: {{probe: {{dn: cn=x, password_file: '{path}'}}}}",
        "agent: {{http: {{listen: '127.0.0.1:8389', user: x, password_file: '{path}'}}}}",
    ],
)
def test_the_command_is_for_the_whole_path(settings: str, tmp_path: Path) -> None:
    password = tmp_path / "a; chmod 0777 b"
    password.write_text("secret")
    password.chmod(0o644)
    config = tmp_path / "ldaphealth.yaml"
    server = "clusters: {c: {servers: {s: ldap://127.0.0.1:1}}}"
    config.write_text(f"{settings.format(path=password)}\n{server}\n")

    done = CliRunner().invoke(cli, ["doctor", "--config", str(config), "--format", "json"])

    (problem,) = json.loads(done.stdout)["problems"]
    assert problem["code"] == "configuration.mistake"
    assert [each["text"] for each in problem["steps"]] == [f"chmod 0600 '{password}'"]
