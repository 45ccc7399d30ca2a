"""CPU of one in-process round of the checks against one process of check_ldap.

Also of a round with what clients do more: a login, three more searches, and one draw of the check
`workload` at the server, a session with four operations. `make bench` runs it; the second table has
the share of each step, and the third one compares requests that travel together with requests that
are made one by one (docs/configuration.md).
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic, process_time, thread_time
from typing import Any

from msgspec.structs import replace

from bench.cpu import CHECK_LDAP, process_seconds, table
from bench.far_server import far
from demo.cluster import Cluster
from demo.tree import CANARIES, CHECK_DN, CHECK_PASSWORD, PEOPLE, SERVICES, SUFFIX
from ldaphealth.checks import BUILT_IN
from ldaphealth.checks.canary import canary_dn, canary_entry
from ldaphealth.checks.login import Params as LoginParams
from ldaphealth.checks.search import Params as SearchParams
from ldaphealth.checks.workload import Params as WorkloadParams
from ldaphealth.checks.workload_survey import Kept, do_one_draw
from ldaphealth.checks.write import Params as WriteParams
from ldaphealth.ldap.accounts import Accounts
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.ldap.names import DN, AttributeName
from ldaphealth.ldap.search_filter import Filter
from ldaphealth.ldap.session import open_session
from ldaphealth.model import BindMethod, Credentials, Secret, Server
from ldaphealth.rounds.probe import probe_server
from ldaphealth.settings import ConfiguredCheck
from ldaphealth.survey import SurveyContext
from ldaphealth.workload.shape import OperationShape, ValueSource, Workload

PAIRS = 100
FAR_SECONDS = 0.005  # to the server and back
ROUND, DRAW = "one round of the checks", "one draw of four operations"
MORE = "with a login, three searches and that draw"
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
        plan = [_timed(name, steps) for name in in_rounds if name not in {"compare", "login"}]
        searches = [replace(_timed("search", {}), alias=f"search{n}") for n in range(3)]
        more = [*plan[:-1], _timed("login", steps), *searches, plan[-1]]  # unbind is the last
        draw = Draw(server)
        measured: dict[str, list[float]] = {name: [] for name in (ROUND, DRAW, MORE, "check_ldap")}
        for _ in range(PAIRS):
            measured[ROUND].append(_round_seconds(server, plan))
            measured[DRAW].append(draw.seconds())
            measured[MORE].append(_round_seconds(server, more) + measured[DRAW][-1])
            measured["check_ldap"].append(process_seconds(peer))
        travelling = _travelling(server)
    table(measured, "check_ldap")
    ratio = _median_ratio(measured[MORE], measured[ROUND])
    print(f"{ROUND} {MORE}: {ratio:.2f} times as much")
    whole = sum(statistics.median(each) for each in steps.values())
    for name, seconds in steps.items():
        median = statistics.median(seconds)
        print(f"  {name:20} {median * 1e3:6.2f} ms {median / whole:6.0%}")
    print(f"{'a round, medians of pairs':44} {'one by one':>12} {'together':>12}")
    for what, (alone, together) in travelling.items():
        medians = (statistics.median(each) * 1e3 for each in (alone, together))
        print(f"  {what:42}" + "".join(f"{each:9.2f} ms" for each in medians))


def _travelling(server: Server) -> Mapping[str, tuple[list[float], list[float]]]:
    """Return seconds of rounds without and with flights: CPU of the agent, all, and each check."""
    names = [name for name, check in BUILT_IN.items() if check.observe is not None]
    plan = [
        ConfiguredCheck(
            BUILT_IN[name], PARAMS.get(name) or BUILT_IN[name].params(), BUILT_IN[name].effect
        )
        for name in names
        if name not in {"compare", "write"}
    ]
    usual = [each for each in plan if each.name != "counters"]
    found: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    accounts = Accounts()

    def measure(what: str, at: Server, checks: Sequence[ConfiguredCheck]) -> None:
        for place, pipeline in enumerate((False, True)):
            on, started, spent = replace(at, pipeline=pipeline), monotonic(), thread_time()
            seen = probe_server(on, checks, Deadline.after(5.0), accounts)
            found[f"{what}: CPU"][place].append(thread_time() - spent)
            found[what][place].append(monotonic() - started)
            assert not any(each.failure for each in seen), seen
            if checks is usual and at is server:
                for each in seen:
                    seconds = sum(each.timings.values())
                    found[f"  operations of {each.check}"][place].append(seconds)

    with far(server.uri, FAR_SECONDS) as uri:
        away = replace(server, uri=uri)
        for _ in range(PAIRS):
            measure("the usual checks", server, usual)
            measure("with counters", server, plan)
            measure(f"the usual checks, {FAR_SECONDS * 1e3:.0f} ms away", away, usual)
            measure(f"with counters, {FAR_SECONDS * 1e3:.0f} ms away", away, plan)
    return found


def _round_seconds(server: Server, plan: Sequence[ConfiguredCheck]) -> float:
    started = process_time()
    seen = probe_server(server, plan, Deadline.after(5.0))
    spent = process_time() - started
    failures = [each.failure for each in seen if each.failure]
    assert not failures, failures
    return spent


def _median_ratio(these: Sequence[float], those: Sequence[float]) -> float:
    return statistics.median(one / other for one, other in zip(these, those, strict=True))


class Draw:
    """Draws of the check `workload`, each another one."""

    def __init__(self, server: Server) -> None:
        shape = OperationShape(
            name="search-uid",
            operation="search",
            base=PEOPLE,
            scope="sub",
            filter="(&(objectClass=inetOrgPerson)(uid={uid}))",
            attributes=("cn", "sn"),
            count=1,
            share=1.0,
            results={0: 1},
        )
        source = ValueSource(attribute=AttributeName("uid"), base=PEOPLE)
        workload = Workload(form=1, operations=1, sources={"uid": source}, shapes=(shape,))
        file = workload.in_file(Path("/workload.yaml"))
        self._context = SurveyContext[WorkloadParams, Kept](
            servers=(server,),
            params=WorkloadParams(file=file),
            deadline=Deadline.after(3600.0),
            kept=None,
            open_session=open_session,
            wait=lambda _: False,
        )
        self._number = 0
        self.seconds()  # reads the values

    def seconds(self) -> float:
        """Do one draw; return its seconds of CPU."""
        self._number += 1
        started = process_time()
        drawn = do_one_draw(self._context, lambda: 5.0 * self._number)
        spent = process_time() - started
        self._context = replace(self._context, kept=drawn.kept)
        (found,) = drawn.found.values()
        assert [each.entries for each in found.facts.done] == [1] * 4, found
        return spent


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
