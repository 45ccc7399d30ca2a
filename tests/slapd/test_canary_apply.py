"""`ldaphealth canary apply` adds what is missing and changes nothing that is there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.client import Credentials
from demo.cluster import Cluster
from demo.tree import CANARIES, CHECK_DN, SUFFIX
from ldaphealth.config import ConfigError, load

pytestmark = pytest.mark.slapd

AGENT = "applied"


@pytest.fixture
def config(cluster: Cluster, tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "ldaphealth.yaml"
    write(path, cluster, CANARIES)
    yield path
    for node in cluster.nodes:
        if cluster.nodes[0].root.search(CANARIES, f"(cn={AGENT} c/{node.name})", "cn"):
            cluster.nodes[0].root.delete(f"cn={AGENT} c/{node.name},{CANARIES}")


def write(
    path: Path, cluster: Cluster, container: str, object_class: str = "applicationProcess"
) -> None:
    servers = ", ".join(f"{node.name}: '{node.uri}'" for node in cluster.nodes)
    password_file = cluster.accounts.check.password_file
    path.write_text(
        f"credentials: {{probe: {{dn: '{CHECK_DN}', password_file: {password_file}}}}}\n"
        f"clusters:\n  c:\n    suffix: {SUFFIX}\n    credentials: probe\n"
        f"    servers: {{{servers}}}\n"
        f"    checks: {{write: {{container: '{container}', agent: {AGENT}, "
        f"object_class: {object_class}}}}}\n"
    )


def apply(config: Path, *arguments: str) -> tuple[int, list[str]]:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "ldaphealth",
            "canary",
            "apply",
            "c",
            "--config",
            config,
            "--format",
            "json",
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, [each["outcome"] for each in json.loads(done.stdout)]


def as_root(root: Credentials) -> tuple[str, ...]:
    return "--bind-dn", root.dn, "--password-file", str(root.password_file)


def test_it_adds_what_is_missing_once(cluster: Cluster, config: Path) -> None:
    first = apply(config, *as_root(cluster.accounts.root))
    second = apply(config)

    assert first == (0, ["added on c/ldap1"] * 4)
    assert second == (0, ["exists already"] * 4)


def test_the_first_provider_that_answers_takes_them(cluster: Cluster, config: Path) -> None:
    cluster.nodes[0].kill()

    assert apply(config) == (0, ["added on c/ldap2"] * 4)
    cluster.heal()  # so that the fixture can remove them


def test_one_that_hangs_keeps_no_other_from_taking_them(cluster: Cluster, config: Path) -> None:
    cluster.nodes[0].freeze()
    try:
        assert apply(config) == (0, ["added on c/ldap2"] * 4)
    finally:
        cluster.heal()


def test_a_refused_password_is_told_and_not_tried_elsewhere(config: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("wrong")
    wrong.chmod(0o600)

    status, outcomes = apply(config, "--bind-dn", CHECK_DN, "--password-file", str(wrong))

    assert (status, outcomes) == (1, outcomes[:1] * 4)
    assert outcomes[0] == (
        f"c/ldap1: password refused for {CHECK_DN} (file {wrong}); it is wrong, or the account is "
        "unknown, locked or expired"
    )


def test_every_provider_that_does_not_take_them_is_named(cluster: Cluster, config: Path) -> None:
    for node in cluster.nodes:
        node.kill()
    try:
        status, outcomes = apply(config)
    finally:
        cluster.heal()

    assert status == 1
    assert all(outcomes[0].count(f"{node.name}: cannot connect") == 1 for node in cluster.nodes)


def test_an_entry_of_somebody_else_is_left_alone(cluster: Cluster, config: Path) -> None:
    dn = f"cn={AGENT} c/ldap1,{CANARIES}"
    cluster.nodes[0].root.add(dn, "objectClass: applicationProcess\ndescription: precious")

    status, outcomes = apply(config)

    assert (status, outcomes[0]) == (1, "exists without the mark of this agent; not changed")
    assert cluster.nodes[0].root.read(dn, "description") == ("precious",)


def test_a_missing_container_is_told(cluster: Cluster, config: Path) -> None:
    write(config, cluster, f"ou=nowhere,{SUFFIX}")

    status, outcomes = apply(config, *as_root(cluster.accounts.root))

    assert status == 1
    assert all(f"the container ou=nowhere,{SUFFIX} must be created first" in o for o in outcomes)


@pytest.mark.parametrize(
    "object_class", ["device", "organizationalRole", "[device, extensibleObject]"]
)
def test_another_object_class_is_added_and_written_to(
    object_class: str, cluster: Cluster, config: Path
) -> None:
    write(config, cluster, CANARIES, object_class)
    added = apply(config)
    dn = f"cn={AGENT} c/ldap1,{CANARIES}"

    assert added == (0, ["added on c/ldap1"] * 4)
    assert cluster.nodes[0].root.read(dn, "objectClass") == tuple(
        object_class.strip("[]").split(", ")
    )
    command = [sys.executable, "-m", "ldaphealth", "check", "c/ldap1", "--config", str(config)]
    done = subprocess.run(
        [*command, "--format", "json"], capture_output=True, text=True, timeout=60, check=False
    )
    (verdict,) = json.loads(done.stdout)["verdicts"]
    found = [each for each in verdict["findings"] if each["check"] == "write"]
    assert [each["state"] for each in found] == ["OK"], found


@pytest.mark.parametrize("object_class", ["unknownClass", "person"])
def test_a_class_that_may_not_be_added_is_named(
    object_class: str, cluster: Cluster, config: Path
) -> None:
    write(config, cluster, CANARIES, object_class)

    status, outcomes = apply(config)

    assert status == 1
    assert all("set `object_class` of the check to another one" in each for each in outcomes)


@pytest.mark.parametrize("object_class", ["''", "[]", "'a b'", "[device, 1.2..3]"])
def test_what_is_no_name_of_a_class_is_a_mistake(
    object_class: str, cluster: Cluster, config: Path
) -> None:
    write(config, cluster, CANARIES, object_class)

    with pytest.raises(ConfigError, match="is not the name of a class"):
        load(config)
