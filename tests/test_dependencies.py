"""Every dependency is explained in docs/dependencies.md, bounded where it must be, and locked."""

from __future__ import annotations

import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest

# The first version without a vulnerability that is publicly known.
SAFE = {
    "click": ("8.3.3", "CVE-2026-7246"),
    "dnspython": ("2.6.1", "CVE-2023-29483"),
    "h11": ("0.16", "CVE-2025-43859"),
    "jinja2": ("3.1.6", "CVE-2024-56201, CVE-2024-56326, CVE-2025-27516"),
    "pyasn1": (
        "0.6.4",
        "CVE-2026-23490, CVE-2026-30922, CVE-2026-59884, CVE-2026-59885, CVE-2026-59886",
    ),
    "pyyaml": ("5.4", "CVE-2020-14343"),
    "starlette": (
        "1.3.1",
        "CVE-2025-62727, CVE-2026-48710, CVE-2026-48818, CVE-2026-54282, CVE-2026-54283",
    ),
    "uvicorn": ("0.11.7", "CVE-2020-7694, CVE-2020-7695"),
}
ROOT = Path(__file__).parents[1]
NAME = re.compile(r"[A-Za-z0-9_-]+")
# Packages of which the code uses more than the public interface, or that promise none.
BOUNDED = ("h11", "ldap3", "pyasn1", "starlette", "uvicorn")


def requirements() -> dict[str, str]:
    """Return the bounds of each dependency at run time, by its name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found = (NAME.match(each) for each in project["project"]["dependencies"])
    return {match[0].lower(): match.string[match.end() :] for match in found if match}


def locked(name: str) -> dict[str, str]:
    """Return the versions in a lock file, by the name of the package."""
    lines = re.findall(r"^([a-z0-9_-]+)==(\S+)", (ROOT / "locks" / name).read_text(), re.MULTILINE)
    return dict(lines)


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def lies_within(version: str, bounds: str) -> bool:
    """Tell whether a version is within bounds such as `>=1.2,<2` or `==1.2.3`."""
    within = {
        ">=": lambda a, b: a >= b,
        "<": lambda a, b: a < b,
        "==": lambda a, b: a == b,
    }
    return all(
        within[sign](numbers(version), numbers(bound))
        for sign, bound in re.findall(r"(>=|<|==)([0-9.]+)", bounds)
    )


def test_the_document_lists_what_pyproject_lists() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    wanted = [*project["project"]["dependencies"], *chain.from_iterable(groups.values())]
    names = {match[0] for each in wanted if (match := NAME.match(each))}
    page = (ROOT / "docs" / "dependencies.md").read_text()
    rows = re.findall(r"^\| ([^|]+) \|", page, re.MULTILINE)
    listed = {name.strip() for row in rows[1:] for name in row.split(",")}

    assert listed - {"---"} == names


@pytest.mark.parametrize("name", BOUNDED)
def test_what_is_used_beyond_its_public_interface_has_an_upper_bound(name: str) -> None:
    assert re.search(r"<|==", requirements()[name])


@pytest.mark.parametrize("name", SAFE)
def test_no_version_with_a_known_vulnerability_is_permitted(name: str) -> None:
    safe, vulnerabilities = SAFE[name]
    lowest = re.search(r"(?:>=|==)([0-9.]+)", requirements()[name])

    assert lowest is not None
    assert numbers(lowest[1]) >= numbers(safe), vulnerabilities


@pytest.mark.parametrize("file", ["runtime.txt", "dev.txt"])
def test_the_locked_versions_lie_within_the_bounds(file: str) -> None:
    versions = locked(file)

    outside = {
        name: (versions[name], bounds)
        for name, bounds in requirements().items()
        if not lies_within(versions[name], bounds)
    }
    assert outside == {}


@pytest.mark.parametrize(
    ("version", "bounds", "within"),
    [
        ("1.10.0", ">=1.10,<2", True),
        ("2.0.0", ">=1.10,<2", False),
        ("1.9.9", ">=1.10,<2", False),
        ("2.9.1", "==2.9.1", True),
        ("2.9.2", "==2.9.1", False),
    ],
)
def test_bounds_are_read_as_pip_reads_them(version: str, bounds: str, within: bool) -> None:
    assert lies_within(version, bounds) is within
