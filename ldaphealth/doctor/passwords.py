"""The examination of passwords that go in the clear. Pure."""

from __future__ import annotations

from ldaphealth.config.cleartext import REMEDY, password_in_clear
from ldaphealth.doctor.by_code import count
from ldaphealth.doctor.facts import Gathered
from ldaphealth.doctor.problem import Examined, Importance, Problem, Step


def examine_clear_text(facts: Gathered) -> Examined:
    """Return the clusters with servers that get a password in the clear."""
    clusters = [each.cluster for each in facts.clusters]
    problems = tuple(
        Problem(
            importance=Importance.MEND,
            code="cleartext.password",
            where=(cluster.name,),
            what=what,
            why="who reads the traffic of the network can log in with it",
            remedy=REMEDY,
            steps=(Step("setting", "tls: {start_tls: true}"),),
        )
        for cluster in clusters
        if (what := password_in_clear(cluster))
    )
    servers = sum(len(each.servers) for each in clusters)
    return Examined(problems, count(servers, servers))
