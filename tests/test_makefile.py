"""The Makefile installs what a target needs, and no more."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from bench.slapdcheck import TO_BUILD
from demo.programs import OPENLDAP

ROOT = Path(__file__).parents[1]


def installed_by(target: str) -> str:
    """Return the names of the packages that a target installs, if they are missing."""
    done = subprocess.run(
        ["make", "-n", "-C", ROOT, target], capture_output=True, text=True, check=True, timeout=30
    )
    return " ".join(
        re.findall(r"^\./scripts/install-packages ([^|\n]+)", done.stdout, re.MULTILINE)
    )


def test_the_demo_installs_openldap_alone() -> None:
    assert installed_by("demo") == OPENLDAP


def test_the_tests_install_the_other_programs_too() -> None:
    assert {"slapd", "keepalived", "haproxy", "icinga2-bin"} <= set(installed_by("test").split())


def test_the_benchmarks_install_what_a_peer_is_built_with() -> None:
    assert set(TO_BUILD.split()) <= set(installed_by("bench").split())
