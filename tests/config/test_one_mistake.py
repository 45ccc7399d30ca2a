"""A wrong value is one mistake: what follows from it is not reported with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ldaphealth.config import ConfigError, load

FILE = """\
credentials:
  probe: {CREDENTIALS}
clusters:
  c:
    suffix: dc=x
    credentials: probe
    tls: {TLS}
    servers: {a: {uri: "ldap://127.0.0.1:1", role: ROLE}}
    checks: {CHECKS}
"""
RIGHT = {
    "CREDENTIALS": "method: anonymous",
    "TLS": "start_tls: true",
    "ROLE": "provider",
    "CHECKS": "monitor: off",
}
METHODS = "credentials.probe.method: must be one of anonymous, simple, external, not "
C = "clusters.c."
SCOPE = f"{C}checks.search.scope"
VERSIONS = "TLSv1.0, TLSv1.1, TLSv1.2, TLSv1.3"
ROLES = "provider, consumer, balancer"


@pytest.mark.parametrize(
    ("place", "text", "mistake"),
    [
        ("CREDENTIALS", "method: gssapi", f"{METHODS}'gssapi'"),
        ("CREDENTIALS", "method: Extrenal", f"{METHODS}'Extrenal'; did you mean external?"),
        ("CREDENTIALS", "method: [simple]", f"{METHODS[:-6]}, not a list"),
        (
            "CREDENTIALS",
            "dn: cn=x, pasword_env: S",
            "credentials.probe.pasword_env: unknown key; did you mean password_env?",
        ),
        (
            "TLS",
            "min_version: TLSv9, certificate_file: /none",
            f"{C}tls.min_version: must be one of {VERSIONS}, not 'TLSv9'; did you mean TLSv1.3?",
        ),
        (
            "ROLE",
            "provdier",
            f"{C}servers.a.role: must be one of {ROLES}, not 'provdier'; did you mean provider?",
        ),
        (
            "CHECKS",
            "search: {scope: subtree, effect: watch}",
            f"{SCOPE}: must be one of base, one, sub, not 'subtree'; did you mean sub?",
        ),
    ],
)
def test_a_wrong_word_is_one_mistake(place: str, text: str, mistake: str, tmp_path: Path) -> None:
    content = FILE
    for name, right in (RIGHT | {place: text}).items():
        content = content.replace(name, right)
    (file := tmp_path / "x.yaml").write_text(content)

    with pytest.raises(ConfigError) as raised:
        load(file)

    kept = [each for each in raised.value.problems if "/none" not in each]  # another mistake
    assert kept == [mistake]


@pytest.mark.parametrize("name", ["serch", "x1: {check: serch}"])
def test_an_unknown_check_has_a_suggestion(name: str, tmp_path: Path) -> None:
    content = FILE
    check = name if "{" in name else f"{name}: {{}}"
    for place, right in (RIGHT | {"CHECKS": check}).items():
        content = content.replace(place, right)
    (file := tmp_path / "x.yaml").write_text(content)

    with pytest.raises(ConfigError) as raised:
        load(file)

    (line,) = raised.value.problems
    assert line.endswith("; did you mean search?")
