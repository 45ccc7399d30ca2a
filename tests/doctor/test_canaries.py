"""Canaries that are missing: those of this agent on consumers, and those of other balancers."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ldaphealth.checks import BUILT_IN
from ldaphealth.checks.canary import canary_dn, canary_mark
from ldaphealth.doctor.canaries import examine_canaries, examine_other_balancers
from ldaphealth.doctor.facts import ClusterFacts, ServerReads
from ldaphealth.doctor.problem import Importance
from ldaphealth.model import CheckEffect, Role
from ldaphealth.settings import Cluster, ConfiguredCheck
from tests.doctor.facts_of import cluster_of, facts_of

CONTAINER = "ou=c,dc=x"


def of_provider_and_consumer() -> Cluster:
    write = BUILT_IN["write"]
    params = write.params(container=CONTAINER, agent="lb1")
    found = cluster_of(2)
    provider, consumer = found.servers
    return replace(
        found,
        servers=(provider, replace(consumer, role=Role.CONSUMER)),
        checks=(*found.checks, ConfiguredCheck(write, params, CheckEffect.WATCH)),
    )


@pytest.mark.parametrize(("owner", "wrong"), [("missing", True), ("ours", False)])
def test_a_canary_of_a_consumer_should_be_there(owner: str, wrong: bool) -> None:
    cluster = of_provider_and_consumer()
    dn = canary_dn(CONTAINER, "lb1", cluster.servers[1])
    reads = {"c/ldap1": ServerReads(owners={dn: owner})}

    found = examine_canaries(facts_of(ClusterFacts(cluster=cluster, reads=reads))).problems

    assert [each.importance for each in found] == [Importance.MEND] * wrong
    assert all("ldap2 is a consumer" in each.what for each in found)


@pytest.mark.parametrize(("lacks", "wrong"), [(0, []), (1, ["ldap1"]), (2, ["ldap2"])])
def test_another_balancer_lacks_a_canary_of_any_server(lacks: int, wrong: list[str]) -> None:
    cluster = of_provider_and_consumer()
    own = [canary_mark("lb1", each) for each in cluster.servers]
    other = [canary_mark("lb2", each) for n, each in enumerate(cluster.servers, 1) if n != lacks]
    reads = {"c/ldap1": ServerReads(marks={CONTAINER: (*own, *other)})}

    found = examine_other_balancers(facts_of(ClusterFacts(cluster=cluster, reads=reads))).problems

    assert [each.what for each in found] == [
        f"the balancer lb2 lacks canaries for {name} of c" for name in wrong
    ]
