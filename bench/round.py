"""CPU of one in-process round of the checks against one process of check_ldap.

`make bench` runs it; the second table has the share of each step.
"""

from __future__ import annotations

import statistics
from time import process_time
from typing import Any

from msgspec.structs import replace

from bench.cpu import CHECK_LDAP, process_seconds, table
from demo.cluster import Cluster
from demo.tree import CANARIES, CHECK_DN, CHECK_PASSWORD, PEOPLE, SERVICES, SUFFIX
from ldaphealth.checks import BUILT_IN
from ldaphealth.checks.canary import canary_dn, canary_entry
from ldaphealth.checks.login import Params as LoginParams
from ldaphealth.checks.search import Params as SearchParams
from ldaphealth.checks.write import Params as WriteParams
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.ldap.names import DN, AttributeName
from ldaphealth.ldap.search_filter import Filter
from ldaphealth.model import BindMethod, Credentials, Secret, Server
from ldaphealth.rounds.probe import probe_server
from ldaphealth.settings import ConfiguredCheck

PAIRS = 100
LOGIN = Credentials(BindMethod.SIMPLE, "", Secret(CHECK_PASSWORD))
PARAMS = {
    "login": LoginParams(
        base=DN(SERVICES),
        filter=Filter("(cn=ldaphealth)"),
        attributes=(AttributeName("cn"),),
        group=DN(CHECK_DN),
        member_attribute=AttributeName("cn"),
        member_value="ldaphealth",
    ),
    "search": SearchParams(base=PEOPLE, filter=Filter("(objectClass=organizationalUnit)")),
    "write": WriteParams(container=CANARIES, agent="bench"),
}


def main() -> None:
    with Cluster(size=1) as cluster:
        node = cluster.nodes[0]
        credentials = Credentials(BindMethod.SIMPLE, CHECK_DN, Secret(CHECK_PASSWORD))
        server = Server(
            cluster="bench", name=node.name, uri=node.uri, suffix=SUFFIX, credentials=credentials
        )
        lines = "\n".join(
            f"{k}: {v}" for k, vs in canary_entry("bench", server).items() for v in vs
        )
        node.root.add(canary_dn(CANARIES, "bench", server), lines)
        port = node.uri.rpartition(":")[2]
        peer = [CHECK_LDAP, "-H", "127.0.0.1", "-p", port, "-b", PEOPLE, "-3"]
        peer += ["-D", CHECK_DN, "-P", CHECK_PASSWORD]
        steps: dict[str, list[float]] = {}
        in_rounds = (name for name, check in BUILT_IN.items() if check.is_in_rounds)
        plan = [_timed(name, steps) for name in in_rounds if name != "compare"]
        measured: dict[str, list[float]] = {"one round of all checks": [], "check_ldap": []}
        for _ in range(PAIRS):
            started = process_time()
            seen = probe_server(server, plan, Deadline.after(5.0))
            measured["one round of all checks"].append(process_time() - started)
            failures = [each.failure for each in seen if each.failure]
            assert not failures, failures
            measured["check_ldap"].append(process_seconds(peer))
    table(measured, "check_ldap")
    whole = sum(statistics.median(each) for each in steps.values())
    for name, seconds in steps.items():
        median = statistics.median(seconds)
        print(f"  {name:20} {median * 1e3:6.2f} ms {median / whole:6.0%}")


def _timed(name: str, steps: dict[str, list[float]]) -> ConfiguredCheck:
    check = BUILT_IN[name]
    observe: Any = check.observe or check.observe_as
    assert observe is not None, f"{name} is not run in rounds"
    spent = steps.setdefault(name, [])

    def timed(*arguments: Any) -> Any:
        started = process_time()
        try:
            return observe(*arguments)
        finally:
            spent.append(process_time() - started)

    params = PARAMS[name] if name in PARAMS else check.params()
    if check.observe is not None:
        return ConfiguredCheck(replace(check, observe=timed), params, check.effect)
    return ConfiguredCheck(
        replace(check, observe_as=timed), params, check.effect, credentials=LOGIN
    )


if __name__ == "__main__":
    main()
