"""The shadow of a cluster: which settings it may have, and how it differs from the cluster."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from ldaphealth.check import AnyCheck
from ldaphealth.checks import BUILT_IN
from ldaphealth.config import ConfigError, load
from ldaphealth.config.json_schema import schema
from ldaphealth.config.shadow import SETTLE, judged_settings
from ldaphealth.config.shadow_differences import differences, shadow_line
from ldaphealth.config.shape import ClusterEntry, ShadowEntry
from ldaphealth.config.workload_file import with_workloads
from ldaphealth.judging.thresholds import Range, Thresholds
from ldaphealth.model import CheckEffect
from ldaphealth.settings import Cluster
from tests.config.test_workload_file import TEXT

FILE = """\
clusters:
  c:
    suffix: dc=example,dc=com
    servers:
      near: ldap://127.0.0.1:1
      far: {uri: "ldap://127.0.0.1:2", checks: {search: {seconds: {critical: 4}}}}
    checks: {search: {seconds: {warning: 1, critical: 2}}, compare: off}
    shadow: SHADOW
"""
SCHEMA = Draft202012Validator(schema(BUILT_IN.values()))
SHADOW, CHECKS = "clusters.c.shadow", "clusters.c.checks"
FAAR = "the cluster has no server 'faar'; did you mean far?"
OFF = "the check is off in this cluster"
NEVER = "9 can never alert: what is measured is more than 0, at most 5 (deadline_seconds)"
ON_AT, SAME = f"on or off is set at {CHECKS}", "because a shadow judges the same probes"
NOT = "is no setting of a shadow, which judges what the probes of the cluster saw"


def loaded(directory: Path, shadow: str, file: str = FILE) -> Cluster:
    path = directory / "ldaphealth.yaml"
    path.write_text(file.replace("SHADOW", shadow))
    return load(path).clusters["c"]


def shadow_of(cluster: Cluster) -> Cluster:
    assert cluster.shadow is not None
    return cluster.shadow


def test_each_setting_of_a_shadow_is_in_place_of_that_of_the_cluster(tmp_path: Path) -> None:
    text = (
        "{min_in_service: 0, settle: {fall_soft: 1},"
        " checks: {search: {seconds: {critical: 0.5}}, latency: {effect: out, quantile: 0.5}}}"
    )
    cluster = loaded(tmp_path, text)
    shadow = shadow_of(cluster)
    checks = {each.name: each for each in shadow.checks}
    near, far = shadow.servers

    assert shadow.min_in_service == 0
    assert (shadow.settle.fall_soft, shadow.settle.rise) == (1, cluster.settle.rise)
    assert checks["search"].params_of(near).seconds == Thresholds(critical=Range(end=0.5))
    assert checks["search"].params_of(far).seconds == Thresholds(critical=Range(end=4))
    assert checks["latency"].effect is CheckEffect.OUT
    assert checks["latency"].params.quantile == 0.5
    assert shadow.servers is cluster.servers
    assert [each.name for each in shadow.checks] == [each.name for each in cluster.checks]
    assert SCHEMA.is_valid(yaml.safe_load(FILE.replace("SHADOW", text)))


def test_without_a_shadow_there_is_none(tmp_path: Path) -> None:
    cluster = loaded(tmp_path, "")

    assert cluster.shadow is None
    assert (differences(cluster), shadow_line(cluster)) == ([], "")


def test_it_says_what_differs(tmp_path: Path) -> None:
    text = (
        "{settle: {fall_soft: 1, rise: 2}, checks: {search: {seconds: {critical: 0.5}},"
        " monitor: {rates: [{of: search, per_second: {warning: 5}}]}, latency: {effect: out}}}"
    )

    assert shadow_line(loaded(tmp_path, text)) == (
        "settle.fall_soft 1 instead of 3, checks.search.seconds.warning none instead of 1, "
        "checks.search.seconds.critical 0.5 instead of 2, "
        "checks.monitor.rates of search per_second warning 5 critical none instead of none, "
        "checks.latency.effect out instead of weight"
    )
    assert shadow_line(loaded(tmp_path, "{settle: {rise: 2}}")) == "differs in no setting"


@pytest.mark.parametrize(
    ("shadow", "problems"),
    [
        pytest.param(
            "{}", [f"{SHADOW}: is empty: it may have checks, settle, min_in_service"], id="empty"
        ),
        pytest.param(
            "{chekcs: {}, deadline_seconds: 3, servers: {a: b}}",
            [
                f"{SHADOW}.chekcs: unknown key; did you mean checks?",
                f"{SHADOW}.deadline_seconds: {NOT}",
                f"{SHADOW}.servers: {NOT}",
            ],
            id="keys",
        ),
        pytest.param(
            "{min_in_service: 3}",
            [f"{SHADOW}.min_in_service: must be at most 2, the number of servers"],
            id="floor",
        ),
        pytest.param(
            "{settle: {fal_soft: 1, confirm_seconds: 9, rise: 0}}",
            [
                f"{SHADOW}.settle.fal_soft: unknown key; did you mean fall_soft?",
                f"{SHADOW}.settle.confirm_seconds: {NOT}; it may have {', '.join(SETTLE)}",
                f"{SHADOW}.settle.rise: must be a whole number >= 1, not 0",
            ],
            id="settle",
        ),
        pytest.param(
            "{checks: {search: {base: 'ou=x', every: 2, secnds: 1, effect: kill}}}",
            [
                f"{SHADOW}.checks.search.base: {NOT}; it may have effect, entries, seconds",
                f"{SHADOW}.checks.search.every: {NOT}; it may have effect, entries, seconds",
                f"{SHADOW}.checks.search.secnds: unknown key; did you mean seconds?",
                f"{SHADOW}.checks.search.effect: must be one of out, weight, watch, not 'kill'",
            ],
            id="settings of a check",
        ),
        pytest.param(
            "{checks: {serch: {}, compare: {effect: watch}, bind: off}}",
            [
                f"{SHADOW}.checks.serch: the cluster has no check 'serch'; did you mean search?",
                f"{SHADOW}.checks.compare: {OFF}; {ON_AT}.compare, {SAME}",
                f"{SHADOW}.checks.bind: must be a mapping of settings; {ON_AT}.bind, {SAME}",
            ],
            id="checks",
        ),
        pytest.param(
            "{checks: {replication: {reference: 'server:faar'}, search: {seconds: {critical: 9}}}}",
            [
                f"{SHADOW}.checks.search.seconds.critical: {NEVER}",
                f"{SHADOW}.checks.replication.reference: {FAAR}",
            ],
            id="mistakes that involve the cluster",
        ),
    ],
)
def test_a_mistake_is_said_with_its_place(tmp_path: Path, shadow: str, problems: list[str]) -> None:
    with pytest.raises(ConfigError) as raised:
        loaded(tmp_path, shadow)

    assert raised.value.problems == problems


def test_the_schema_refuses_what_load_refuses() -> None:
    for shadow in (
        "{chekcs: {}}",
        "{settle: {confirm_seconds: 1}}",
        "{checks: {search: {base: a}}}",
    ):
        assert not SCHEMA.is_valid(yaml.safe_load(FILE.replace("SHADOW", shadow)))


def test_each_key_of_a_cluster_is_one_of_a_shadow_or_refused() -> None:
    keys = {*ClusterEntry.__struct_encode_fields__} - {"shadow"}

    assert {*ShadowEntry.refused_keys} == keys - {*ShadowEntry.__struct_encode_fields__}


def test_a_shadow_has_the_workload_of_its_cluster(tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text(TEXT)
    checks = f"{{workload: {{file: {tmp_path}/w.yaml, interval_seconds: 60}}}}"
    file = FILE.replace("{search: {seconds: {warning: 1, critical: 2}}, compare: off}", checks)
    cluster = loaded(tmp_path, "{checks: {workload: {min_operations: 3}}}", file)
    read = with_workloads(load(tmp_path / "ldaphealth.yaml")).clusters["c"]
    usual, shadows = (
        next(each.params for each in of.surveys if each.name == "workload")
        for of in (read, shadow_of(read))
    )

    assert isinstance(usual.file, type(shadows.file))
    assert usual.file is shadows.file
    assert shadows.min_operations == 3
    assert cluster.name == "c"


def functions_of(check: AnyCheck) -> dict[str, ast.FunctionDef]:
    """Return the functions of the modules that a check observes with, by name, but no judge."""
    directory = Path(inspect.getfile(check.judge)).parent
    files = [directory / f"{check.name}{end}.py" for end in ("", "_survey")]
    return {
        node.name: node
        for file in files
        if file.exists()
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name != "judge"
    }


def observing(check: AnyCheck) -> Iterator[str]:
    """Yield the settings that the functions read that a check observes with."""
    functions, done = functions_of(check), set[str]()
    waiting = {
        each.__name__
        for each in (check.observe, check.observe_as, check.survey)
        if each is not None
    }
    while waiting := (waiting & functions.keys()) - done:
        done |= waiting
        found = [node for name in waiting for node in ast.walk(functions[name])]
        attributes = [node for node in found if isinstance(node, ast.Attribute)]
        waiting = {node.id for node in found if isinstance(node, ast.Name)}
        waiting |= {node.attr for node in attributes}
        for node in attributes:
            owner = getattr(node.value, "attr", getattr(node.value, "id", ""))
            if owner in ("params", "self"):
                yield node.attr


@pytest.mark.parametrize("name", BUILT_IN)
def test_what_a_shadow_may_have_no_probe_reads(name: str) -> None:
    check = BUILT_IN[name]

    assert {*observing(check)}.isdisjoint(judged_settings(check))
    assert {*judged_settings(check)} <= {*check.params.__struct_encode_fields__}
