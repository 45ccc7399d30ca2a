"""Any number of checks of a kind by name, and the settings that any check may have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from ldaphealth.check import Check
from ldaphealth.checks import BUILT_IN, find
from ldaphealth.checks.search import Params as SearchParams
from ldaphealth.config import ConfigError, load
from ldaphealth.config.json_schema import schema
from ldaphealth.model import CheckEffect
from ldaphealth.settings import Cluster, ConfiguredCheck

FILE = """\
credentials:
  probe: {dn: cn=probe, password_env: SECRET}
  web: {dn: cn=web, password_env: SECRET}
clusters:
  c:
    suffix: dc=example,dc=com
    credentials: probe
    servers:
      near: ldap://127.0.0.1:1
      far: {uri: "ldap://127.0.0.1:2", checks: OWN}
      vip: {uri: "ldap://127.0.0.1:3", role: balancer}
    checks: CHECKS
"""
SCHEMA = Draft202012Validator(schema(BUILT_IN.values()))
PLACE = "clusters.c.checks"
KINDS = ", ".join(BUILT_IN)
TEAPOT = Check(
    name="teapot",
    params=SearchParams,
    facts=BUILT_IN["search"].facts,
    observe=BUILT_IN["search"].observe,
    judge=BUILT_IN["search"].judge,
)


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "secret")


def text_of(checks: str, own: str = "{}") -> str:
    return FILE.replace("CHECKS", checks).replace("OWN", own)


def loaded(directory: Path, checks: str, own: str = "{}") -> Cluster:
    path = directory / "ldaphealth.yaml"
    path.write_text(text_of(checks, own))
    return load(path, lambda name: TEAPOT if name == "teapot" else find(name)).clusters["c"]


def names(cluster: Cluster) -> list[str]:
    return [each.name for each in cluster.checks]


def named(cluster: Cluster, name: str) -> ConfiguredCheck:
    [found] = [each for each in cluster.checks if each.name == name]
    return found


def test_checks_of_a_kind_stand_where_their_kind_stands_in_the_order_of_the_file(
    tmp_path: Path,
) -> None:
    checks = "{staff: {check: search, base: ou=s}, pots: {check: teapot}, hosts: {check: search}}"
    cluster = loaded(tmp_path, checks)
    found = names(cluster)

    assert found[found.index("certificate") + 1 :][:3] == ["search", "staff", "hosts"]
    assert found.index("pots") + 1 == found.index("monitor")
    staff = named(cluster, "staff")
    assert (staff.check.name, staff.params.base, staff.effect) == (
        "search",
        "ou=s",
        CheckEffect.OUT,
    )
    assert staff.params.scope == named(cluster, "search").params.scope


def test_a_check_may_stand_in_place_of_the_one_with_the_name_of_its_kind(tmp_path: Path) -> None:
    found = names(loaded(tmp_path, "{search: off, staff: {check: search}, hosts: off}"))

    assert "staff" in found
    assert not {"search", "hosts"} & {*found}


def test_a_file_without_names_has_the_checks_that_it_had(tmp_path: Path) -> None:
    plain = loaded(tmp_path, "{search: {check: search, every: 1}}")

    assert plain.checks == loaded(tmp_path, "{}").checks
    assert {each.alias for each in plain.checks} == {""}


def test_checks_with_an_account_follow_one_another_just_before_the_counters(tmp_path: Path) -> None:
    checks = """{
      a: {check: search, credentials: web}, b: {check: search, credentials: probe},
      c: {check: compare, dn: cn=x, attribute: cn, value: x, credentials: web},
      pots: {check: teapot}
    }"""
    found = names(loaded(tmp_path, checks))

    assert found[found.index("pots") :][:5] == ["pots", "a", "c", "b", "monitor"]


def test_a_survey_may_have_an_account_of_its_own(tmp_path: Path) -> None:
    cluster = loaded(tmp_path, "{traffic: {base: cn=accesslog, credentials: web}}")
    (traffic,) = (each for each in cluster.surveys if each.name == "traffic")

    assert traffic.credentials is not None
    assert traffic.credentials.dn == "cn=web"


def test_the_account_of_the_server_needs_no_second_session(tmp_path: Path) -> None:
    checks = "{a: {check: search, credentials: web}, b: {check: search, credentials: probe}}"
    cluster = loaded(tmp_path, checks)
    near = cluster.servers[0]

    assert named(cluster, "b").credentials_on(near) is None
    other = named(cluster, "a").credentials_on(near)
    assert other is not None
    assert other.dn == "cn=web"


@pytest.mark.parametrize(
    ("settings", "run_on"),
    [
        pytest.param("check: search", ["near", "far", "vip"], id="all"),
        pytest.param("check: search, only: [near, vip]", ["near", "vip"], id="only"),
        pytest.param("check: search, except: [near]", ["far", "vip"], id="except"),
    ],
)
def test_a_check_is_run_on_some_servers_only(
    tmp_path: Path, settings: str, run_on: list[str]
) -> None:
    cluster = loaded(tmp_path, f"{{staff: {{{settings}}}}}")
    staff = named(cluster, "staff")

    assert [each.name for each in cluster.servers_of(staff)] == run_on
    assert [
        each.name for each in cluster.servers if staff in cluster.round_checks_of(each)
    ] == run_on


def test_a_server_has_settings_of_its_own_by_the_name_of_the_check(tmp_path: Path) -> None:
    cluster = loaded(
        tmp_path, "{staff: {check: search, base: ou=a, scope: one}}", "{staff: {base: ou=b}}"
    )
    near, far, _ = cluster.servers
    staff, search = named(cluster, "staff"), named(cluster, "search")

    assert [staff.params_of(each).base for each in (near, far)] == ["ou=a", "ou=b"]
    assert staff.params_of(far).scope == "one"
    assert search.params_of(far).base == ""


RULE = "lower-case letters, digits and underscores, a letter first, 32 at most"
STEP = "every session has this step"


def wrong(checks: str, line: str) -> tuple[str, str]:
    """Return the checks of a cluster, and the one line about the mistake in them."""
    return checks, line


MISTAKES = {
    "no kind": wrong(
        "{staff: {base: ou=x}}",
        f"{PLACE}.staff: no check is named 'staff'; built in are {KINDS}; `check: KIND` names the "
        "kind of a check with a name of your choice",
    ),
    "an unknown kind": wrong(
        "{staff: {check: serch}}",
        f"{PLACE}.staff.check: no check is named 'serch'; built in are {KINDS}; "
        "did you mean search?",
    ),
    "a kind that is no text": wrong(
        "{staff: {check: 5}}",
        f"{PLACE}.staff.check: must be a text, the kind of the check",
    ),
    "the name of another kind": wrong(
        "{search: {check: compare}}",
        f"{PLACE}.search.check: must be search, the kind of that name; or rename it",
    ),
    "the name of a kind of another package": wrong(
        "{teapot: {check: search}}",
        f"{PLACE}.teapot.check: must be teapot, the kind of that name; or rename it",
    ),
    "upper case": wrong(
        "{Staff: {check: search}}",
        f"{PLACE}.Staff: is not a name of a check; choose another one: {RULE}",
    ),
    "a digit first": wrong(
        "{1st: {check: search}}",
        f"{PLACE}.1st: is not a name of a check; choose another one: {RULE}",
    ),
    "33 letters": wrong(
        f"{{{'a' * 33}: {{check: search}}}}",
        f"{PLACE}.{'a' * 33}: is not a name of a check; choose another one: {RULE}",
    ),
    "a name of the plugin": wrong(
        "{time: {check: search}}",
        f"{PLACE}.time: is reserved; choose another one: {RULE}",
    ),
    "a step of the session": wrong(
        "{entry: {check: bind}}",
        f"{PLACE}.entry.check: a cluster has one check bind, under its own name: {STEP}",
    ),
    "a check that writes": wrong(
        "{other: {check: write, container: ou=x}}",
        f"{PLACE}.other.check: a cluster has one check write, under its own name: the agent has "
        "one canary for each server",
    ),
    "a step in some rounds": wrong(
        "{bind: {every: 2}}",
        f"{PLACE}.bind.every: the check bind cannot have it: {STEP}",
    ),
    "a step on some servers": wrong(
        "{bind: {only: [near]}}",
        f"{PLACE}.bind.only: the check bind cannot have it: {STEP}",
    ),
    "a survey in some rounds": wrong(
        "{content: {cover_hours: 24, every: 2}}",
        f"{PLACE}.content.every: the check content cannot have it: a survey has its own "
        "interval_seconds",
    ),
    "counters with another account": wrong(
        "{monitor: {credentials: web}}",
        f"{PLACE}.monitor.credentials: the check monitor cannot have it: it leaves out the "
        "operations of each session",
    ),
    "never": wrong(
        "{search: {every: 0}}", f"{PLACE}.search.every: must be a whole number >= 1, not 0"
    ),
    "hardly ever": wrong(
        "{search: {every: 1001}}",
        f"{PLACE}.search.every: must be a whole number <= 1000, not 1001",
    ),
    "an unknown account": wrong(
        "{search: {credentials: wep}}",
        f"{PLACE}.search.credentials: 'wep' is not under credentials; did you mean web?",
    ),
    "an unknown server": wrong(
        "{search: {only: [nere]}}",
        f"{PLACE}.search.only: the cluster has no server 'nere'; did you mean near?",
    ),
    "no server": wrong("{search: {only: []}}", f"{PLACE}.search.only: is empty"),
    "no server left": wrong(
        "{search: {except: [near, far, vip]}}",
        f"{PLACE}.search.except: leaves no server; `off` disables a check",
    ),
    "both": wrong(
        "{search: {only: [near], except: [far]}}",
        f"{PLACE}.search: only and except must not be given together",
    ),
    "only the balancer": wrong(
        "{write: {container: ou=x, only: [vip]}}",
        f"{PLACE}.write: is run on no server: this check is not run on a server with the role "
        "balancer",
    ),
    "a threshold": wrong(
        "{staff: {check: search, seconds: {warning: 9}}}",
        f"{PLACE}.staff.seconds.warning: 9 can never alert: what is measured is more than 0, at "
        "most 5 (deadline_seconds)",
    ),
    "a key": wrong(
        "{staff: {check: search, evry: 2}}",
        f"{PLACE}.staff.evry: unknown key; did you mean every?",
    ),
}
NOT_IN_THE_SCHEMA = {  # it does not know the names of servers, accounts and other kinds
    "no kind",
    "an unknown kind",
    "a kind that is no text",
    "the name of a kind of another package",
    "upper case",
    "a digit first",
    "33 letters",
    "a name of the plugin",
    "a step of the session",
    "a check that writes",
    "an unknown account",
    "an unknown server",
    "no server left",
    "both",
    "only the balancer",
    "a threshold",
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_line_with_its_place(tmp_path: Path, case: str) -> None:
    checks, line = MISTAKES[case]

    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, checks)

    assert refused.value.problems == [line]
    assert SCHEMA.is_valid(yaml.safe_load(text_of(checks))) is (case in NOT_IN_THE_SCHEMA)


@pytest.mark.parametrize(
    ("own", "line"),
    [
        pytest.param(
            "{staff: {base: ou=x}}",
            "clusters.c.servers.far.checks.staff: the check is not run on this server, by `only` "
            "or `except` at clusters.c.checks.staff",
            id="not there",
        ),
        pytest.param(
            "{hosts: {every: 2}}",
            "clusters.c.servers.far.checks.hosts.every: is a setting of the whole cluster; set it "
            "at clusters.c.checks.hosts.every",
            id="of the cluster",
        ),
        pytest.param(
            "{hots: {base: ou=x}}",
            "clusters.c.servers.far.checks.hots: the cluster has no check 'hots'; did you mean "
            "hosts?",
            id="misspelt",
        ),
    ],
)
def test_a_mistake_in_the_settings_of_a_server_is_one_line(
    tmp_path: Path, own: str, line: str
) -> None:
    checks = "{staff: {check: search, only: [near]}, hosts: {check: search}}"

    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, checks, own)

    assert refused.value.problems == [line]


@pytest.mark.parametrize(
    "checks",
    [
        "{staff: {check: search, base: ou=x, every: 5, only: [near], credentials: web}}",
        "{mail: {check: compare, dn: cn=x, attribute: cn, value: x, effect: watch}, a: off}",
        "{write: {container: ou=x, every: 6, credentials: web}, pots: {check: teapot, x: 1}}",
    ],
)
def test_the_schema_accepts_named_checks(checks: str) -> None:
    found: Any = yaml.safe_load(text_of(checks))

    assert [each.message for each in SCHEMA.iter_errors(found)] == []


def test_the_schema_checks_the_settings_of_a_named_check_by_its_kind() -> None:
    assert not SCHEMA.is_valid(yaml.safe_load(text_of("{staff: {check: search, scope: tree}}")))
