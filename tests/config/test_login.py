"""A check that logs in needs credentials; they need no DN, which the check finds."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from ldaphealth.checks import BUILT_IN
from ldaphealth.config import ConfigError, load
from ldaphealth.config.json_schema import schema
from ldaphealth.model import CheckEffect, Server
from ldaphealth.settings import Cluster

FILE = """\
credentials:
  probe: {dn: cn=probe, password_env: SECRET}
  user: {password_env: SECRET}
  other: {dn: "uid=o,dc=x", password_env: SECRET}
  tls: {method: external}
clusters:
  c:
    suffix: dc=x
    credentials: probe
    servers: {near: "ldap://127.0.0.1:1", far: "ldap://127.0.0.1:2"}
    checks: CHECKS
"""
SCHEMA = Draft202012Validator(schema(BUILT_IN.values()))
LOGIN = 'login: {filter: "(uid=u)", credentials: user}'
C = "clusters.c.checks"


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "secret")


def loaded(directory: Path, checks: str) -> Cluster:
    path = directory / "ldaphealth.yaml"
    path.write_text(FILE.replace("CHECKS", f"{{{checks}}}"))
    return load(path).clusters["c"]


def test_several_logins_by_name_stand_before_the_counters(tmp_path: Path) -> None:
    text = (
        f'{LOGIN}, webmail: {{check: login, filter: "(uid=o)", credentials: other, every: 6, '
        "only: [near], attributes: [cn, mail], effect: watch}"
    )
    cluster = loaded(tmp_path, text)
    found = {each.name: each for each in cluster.checks}
    near, far = cluster.servers

    assert [*found][[*found].index("monitor") - 2 :][:2] == ["login", "webmail"]
    assert found["login"].effect is CheckEffect.OUT
    assert found["webmail"].effect is CheckEffect.WATCH
    assert [runs_webmail(cluster, each) for each in (near, far)] == [True, False]
    assert found["login"].credentials_on(near) is None, "it begins on the session of the server"
    assert found["webmail"].params.attributes == ("cn", "mail")


def runs_webmail(cluster: Cluster, server: Server) -> bool:
    return "webmail" in {each.name for each in cluster.round_checks_of(server)}


def test_there_is_no_login_without_settings(tmp_path: Path) -> None:
    cluster = loaded(tmp_path, 'own: {check: login, filter: "(uid=o)", credentials: user}')

    assert "login" not in {each.name for each in cluster.checks}


MISSING = "credentials.user.dn: is missing; method simple needs a DN"


@pytest.mark.parametrize(
    ("checks", "lines"),
    [
        pytest.param(
            f'{LOGIN}, a: {{check: login, filter: "(uid=u)"}}',
            [f"{C}.a.credentials: is missing: the password with which the check logs in"],
            id="no credentials",
        ),
        pytest.param(
            f"{LOGIN}, a: {{check: login, credentials: user}}",
            [f"{C}.a.filter: is missing"],
            id="no filter",
        ),
        pytest.param("search: {}", [MISSING], id="nobody uses them"),
        pytest.param(
            f"{LOGIN}, a: {{check: search, credentials: user}}", [MISSING], id="a search needs a DN"
        ),
        pytest.param(
            f'{LOGIN}, a: {{check: login, filter: "(uid=u)", credentials: tls}}',
            [
                "credentials.tls.method: must be simple: a check logs in with these credentials",
            ],
            id="no password",
        ),
    ],
)
def test_a_mistake_is_one_line_with_its_place(
    tmp_path: Path, checks: str, lines: list[str]
) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, checks)

    assert refused.value.problems == lines


def test_the_schema_knows_that_a_login_needs_credentials() -> None:
    def is_valid(checks: str) -> bool:
        return SCHEMA.is_valid(yaml.safe_load(FILE.replace("CHECKS", f"{{{checks}}}")))

    assert is_valid(LOGIN)
    assert not is_valid('login: {filter: "(uid=u)"}')
    assert not is_valid('webmail: {check: login, filter: "(uid=u)"}')
