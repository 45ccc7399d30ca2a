"""Settings of checks that a server has of its own, in place of those of the cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from ldaphealth.checks import BUILT_IN
from ldaphealth.config import ConfigError, load
from ldaphealth.config.json_schema import schema
from ldaphealth.judging.thresholds import Range, Thresholds, at_most
from ldaphealth.settings import Cluster

FILE = """\
clusters:
  c:
    suffix: dc=example,dc=com
    servers:
      near: ldap://127.0.0.1:1
      far: {uri: "ldap://127.0.0.1:2", checks: OWN}
      vip: {uri: "ldap://127.0.0.1:3", role: balancer, checks: {search: {seconds: {critical: 4}}}}
    checks:
      replication: {behind: {warning: 20, critical: 90}, retired_server_ids: [7]}
      content: {cover_hours: 24}
      propagation: {container: "ou=x", lost_seconds: 20}
      write: {container: "ou=x"}
      monitor: off
"""
SCHEMA = Draft202012Validator(schema(BUILT_IN.values()))
CLUSTER, VIP = "clusters.c.checks", "clusters.c.servers.vip.checks"
PLACE = "clusters.c.servers.far.checks"


def loaded(directory: Path, own: str) -> Cluster:
    path = directory / "ldaphealth.yaml"
    path.write_text(FILE.replace("OWN", own))
    return load(path).clusters["c"]


def params(cluster: Cluster, check: str) -> dict[str, Any]:
    """Return the settings of a check by the name of the server."""
    [configured] = [each for each in cluster.checks if each.check.name == check]
    return {each.name: configured.params_of(each) for each in cluster.servers}


def test_each_setting_of_a_server_is_in_place_of_that_of_the_cluster(tmp_path: Path) -> None:
    own = (
        "{replication: {behind: {critical: 3600}, behind_second_look: {}},"
        " search: {base: 'ou=y', seconds: {warning: 3}}, propagation: {seconds: {warning: 9}}}"
    )
    cluster = loaded(tmp_path, own)
    replication, search = params(cluster, "replication"), params(cluster, "search")

    assert replication["near"].behind == at_most(20, 90)
    assert replication["far"].behind == Thresholds(critical=Range(end=3600))
    assert replication["far"].behind_second_look == Thresholds()
    assert replication["far"].retired_server_ids == replication["near"].retired_server_ids == (7,)
    assert [search[name].base for name in ("near", "far", "vip")] == ["", "ou=y", ""]
    assert search["vip"].seconds == Thresholds(critical=Range(end=4))
    assert params(cluster, "propagation")["far"].lost_seconds == 20
    assert SCHEMA.is_valid(yaml.safe_load(FILE.replace("OWN", own)))


def test_a_server_without_settings_of_its_own_has_those_of_the_cluster(tmp_path: Path) -> None:
    cluster = loaded(tmp_path, "{}")

    assert [each.check.name for each in cluster.checks if each.own_params] == ["search"]
    assert len({*map(id, params(cluster, "replication").values())}) == 1


@pytest.mark.parametrize(
    ("own", "problem"),
    [
        pytest.param(
            "{replication: {behnd: {critical: 9}}}",
            f"{PLACE}.replication.behnd: unknown key; did you mean behind?",
            id="a key with a mistake",
        ),
        pytest.param(
            "{replication: {behind: {critcal: 9}}}",
            f"{PLACE}.replication.behind.critcal: unknown key; did you mean critical?",
            id="a mistake in a value",
        ),
        pytest.param(
            "{replicaton: {behind: {critical: 9}}}",
            f"{PLACE}.replicaton: the cluster has no check 'replicaton'; did you mean replication?",
            id="a check with a mistake",
        ),
        pytest.param(
            "{replication: {reference: newest}}",
            f"{PLACE}.replication.reference: is a setting of the whole cluster; set it at "
            "clusters.c.checks.replication.reference",
            id="the reference",
        ),
        pytest.param(
            "{search: {effect: watch}}",
            f"{PLACE}.search.effect: is a setting of the whole cluster; set it at "
            "clusters.c.checks.search.effect",
            id="the effect",
        ),
        pytest.param(
            "{content: {cover_hours: 3}}",
            f"{PLACE}.content: the check has settings of the whole cluster only; set them at "
            "clusters.c.checks.content",
            id="a survey",
        ),
        pytest.param(
            "{propagation: {interval_seconds: 3}}",
            f"{PLACE}.propagation.interval_seconds: is a setting of the whole cluster; set it at "
            "clusters.c.checks.propagation.interval_seconds",
            id="how often a survey is made",
        ),
        pytest.param(
            "{write: {container: 'ou=y'}}",
            f"{PLACE}.write.container: is a setting of the whole cluster; set it at "
            "clusters.c.checks.write.container",
            id="where canaries are",
        ),
        pytest.param(
            "{search: off}",
            f"{PLACE}.search: must be a mapping of settings; on or off is set at "
            "clusters.c.checks.search",
            id="off for one server",
        ),
        pytest.param(
            "{search: 3}",
            f"{PLACE}.search: must be a mapping of settings; on or off is set at "
            "clusters.c.checks.search",
            id="no mapping",
        ),
        pytest.param(
            "{replication: {behind: {critical: '@0:3'}}}",
            f"{PLACE}.replication: behind alerts on 0 s, that is on a server that lacks nothing",
            id="a value that can never be right",
        ),
        pytest.param(
            "{search: {size_limit: 9999}}",
            f"{PLACE}.search: size_limit is a number of entries from 1 to 1000",
            id="a value out of range",
        ),
        pytest.param(
            "{search: {value: x}}",
            f"{PLACE}.search: value needs attribute, the attribute that must hold it",
            id="a value that needs another one",
        ),
        pytest.param(
            "{replication: {behind_second_look: {critical: 5}}}",
            f"{PLACE}.replication.behind_second_look: must alert on less than 1 s, the time "
            "between the two reads (second_look_seconds)",
            id="what the pause can never prove",
        ),
    ],
)
def test_a_mistake_is_one_line_with_its_place(tmp_path: Path, own: str, problem: str) -> None:
    with pytest.raises(ConfigError) as raised:
        loaded(tmp_path, own)

    assert raised.value.problems == [problem]


def test_a_check_that_is_off_has_no_settings_of_a_server(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        loaded(tmp_path, "{monitor: {ratios: []}, compare: {dn: 'cn=x'}}")

    assert raised.value.problems == [
        f"{PLACE}.{name}: the check is off in this cluster; it is turned on at "
        f"clusters.c.checks.{name}"
        for name in ("monitor", "compare")
    ]


def test_a_check_that_a_balancer_leaves_out_has_no_settings_of_it(tmp_path: Path) -> None:
    path = tmp_path / "ldaphealth.yaml"
    path.write_text(FILE.replace("OWN", "{}").replace("{search: {seconds", "{replication: {behind"))
    with pytest.raises(ConfigError) as raised:
        load(path)

    assert raised.value.problems == [
        f"{VIP}.replication: the check is not run on a server with the role balancer"
    ]


def test_a_mistake_of_the_cluster_is_reported_once(tmp_path: Path) -> None:
    path = tmp_path / "ldaphealth.yaml"
    own = "{replication: {behind: {critical: 9}}}"
    path.write_text(FILE.replace("OWN", own).replace("[7]", "[7], reference: 'server:nera'"))
    with pytest.raises(ConfigError) as raised:
        load(path)

    assert raised.value.problems == [
        f"{CLUSTER}.replication.reference: the cluster has no server 'nera'; did you mean near?"
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        "{replication: {behnd: {critical: 9}}}",
        "{replication: {reference: newest}}",
        "{search: {effect: watch}}",
        "{search: off}",
        "{content: {cover_hours: 3}}",
        "{propagation: {interval_seconds: 3}}",
    ],
)
def test_the_schema_refuses_what_load_refuses(wrong: str) -> None:
    assert not SCHEMA.is_valid(yaml.safe_load(FILE.replace("OWN", wrong)))


@pytest.mark.parametrize("check", BUILT_IN.values(), ids=lambda check: check.name)
def test_a_check_names_settings_that_it_has(check: Any) -> None:
    assert {*check.own_settings} <= {*check.params.__struct_encode_fields__}
