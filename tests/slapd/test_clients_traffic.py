"""What clients get of real slapds with slapo-accesslog(5): the server that fails them is named."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from demo import ports, tree
from demo.programs import slapd_for
from demo.slapd import Slapd
from demo.tree import CHECK_DN, CHECK_PASSWORD, PEOPLE, ROOT_DN, SUFFIX
from ldaphealth.check import View
from ldaphealth.checks.traffic import CHECK, Facts, Params
from ldaphealth.checks.traffic_survey import SETTLE_SECONDS, read_what_is_new
from ldaphealth.clocks import EpochSeconds
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.names import DN
from ldaphealth.ldap.session import open_session
from ldaphealth.model import BindMethod, Credentials, Finding, Observation, Secret, Server
from ldaphealth.survey import SurveyContext, SurveyResult

pytestmark = pytest.mark.slapd

HOST = "127.0.0.1"
CONF = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload retcode
moduleload accesslog
loglevel 0
sizelimit 500
database mdb
suffix cn=accesslog
directory {log}
maxsize 268435456
dbnosync
rootdn cn=admin,cn=accesslog
index reqStart eq
access to * by dn.exact="{check}" read by * none
database mdb
suffix {suffix}
directory {database}
rootdn {root}
rootpw {password}
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{check}" read by anonymous auth by * none
overlay retcode
retcode-parent "ou=answers,{suffix}"
retcode-item "cn=application" {answer}
overlay accesslog
logdb cn=accesslog
logops all
"""
ROOT_PASSWORD = "secret"
# How each server answers one of the searches of its clients (slapo-retcode(5)).
WELL = "0x00 op=search"
ANSWERS = {
    "ldap1": WELL,
    "ldap2": "0x33 op=search",  # busy
    "ldap3": "0x00 op=search sleeptime=1",
    "ldap4": WELL,
}
CLIENTS, ROUNDS = 4, 5
SEARCHES = (
    PEOPLE,
    PEOPLE,
    PEOPLE,
    f"cn=application,ou=answers,{SUFFIX}",
)  # of a client in each round
PARAMS = Params(base=DN("cn=accesslog"), min_operations=50)
ANY = "(objectClass=*)"


@dataclass
class Logging:
    """Servers with a log of operations."""

    servers: tuple[Server, ...]
    slapds: Mapping[str, Slapd]

    def survey(
        self, kept: Mapping[str, EpochSeconds] | None = None, params: Params = PARAMS
    ) -> SurveyResult[Facts, Mapping[str, EpochSeconds]]:
        """Read the logs as the agent does."""
        return read_what_is_new(
            SurveyContext(
                servers=self.servers,
                params=params,
                deadline=Deadline.after(20.0),
                kept=kept,
                open_session=open_session,
                wait=lambda _: False,
            )
        )

    def load(self) -> None:
        """Do the searches of several clients on each server, at once."""
        jobs = [server for server in self.servers for _ in range(CLIENTS)]
        with ThreadPoolExecutor(len(jobs)) as clients:
            list(clients.map(searching, jobs))

    def findings(self, found: SurveyResult[Facts, Mapping[str, EpochSeconds]]) -> list[Finding]:
        """Return the findings on all servers that are not OK."""
        observations = {
            server: [
                Observation(
                    server=server,
                    check="traffic",
                    started_at=0.0,
                    duration_seconds=0.1,
                    facts=each.facts,
                )
            ]
            for server, each in found.found.items()
        }
        judged = [
            finding
            for server in self.servers
            for finding in CHECK.judge(View(server, "traffic", observations), PARAMS)
        ]
        return [each for each in judged if each.code != "ok"]


def searching(server: Server) -> None:
    """Search as a client: another account than that of the agent."""
    client = Server(
        cluster="c",
        name="client",
        uri=server.uri,
        credentials=Credentials(BindMethod.SIMPLE, ROOT_DN, Secret(ROOT_PASSWORD)),
    )
    session = open_session(client, Deadline.after(60.0), 10**7)
    try:
        for base in SEARCHES * ROUNDS:
            with suppress(SessionError):
                session.search(base, "sub", ANY, ("uid",))
    finally:
        session.close()


@pytest.fixture(scope="module")
def logging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Logging]:
    """Return four servers; their logs settle for as long as the survey demands."""
    credentials = Credentials(BindMethod.SIMPLE, CHECK_DN, Secret(CHECK_PASSWORD))
    directory = tmp_path_factory.mktemp("l")
    reserved = ports.reserve(len(ANSWERS), (HOST,))
    servers, slapds = [], {}
    with ExitStack() as running:
        running.callback(reserved.release)
        for (name, answer), port in zip(ANSWERS.items(), reserved.ports, strict=True):
            uri = f"ldap://{HOST}:{port}"
            slapd = slapds[name] = Slapd(slapd_for(directory), directory / name, (uri,))
            (directory / f"{name}.log").mkdir()
            slapd.load(
                CONF.format(
                    log=directory / f"{name}.log",
                    database=slapd.database,
                    suffix=SUFFIX,
                    check=CHECK_DN,
                    root=ROOT_DN,
                    password=ROOT_PASSWORD,
                    answer=answer,
                ),
                tree.ldif(datetime.now(UTC)),
            )
            running.callback(slapd.kill)
            slapd.start()
            servers.append(Server(cluster="c", name=name, uri=uri, credentials=credentials))
        yield Logging(tuple(servers), slapds)


def test_a_server_that_fails_clients_and_one_that_is_slow_are_named(logging: Logging) -> None:
    logging.load()
    time.sleep(SETTLE_SECONDS + 2.0)

    first = logging.survey()
    second = logging.survey(first.kept)

    found = {(each.server, each.code): each.summary for each in logging.findings(first)}
    assert found.keys() == {("c/ldap2", "failing"), ("c/ldap3", "slower")}
    assert (
        "operations of clients got busy, 0.0% at the median of the other"
        in (found["c/ldap2", "failing"])
    )
    for each in first.found.values():
        searches = each.facts.traffic["search"]
        assert searches.operations == CLIENTS * ROUNDS * len(SEARCHES), (
            "all of the clients, and none of the agent"
        )
        assert each.facts.traffic["bind"].operations == CLIENTS
    assert {name: each.facts.traffic for name, each in second.found.items()} == {
        server.id: {} for server in logging.servers
    }, "what was read is not read again"


ENTRY = """\
dn: reqStart={began}Z,cn=accesslog
objectClass: auditSearch
reqStart: {began}Z
reqEnd: {began}Z
reqType: search
reqSession: 1
reqAuthzID: {root}
reqDN: {suffix}
reqResult: 0
reqScope: sub
reqDerefAliases: never
reqAttrsOnly: FALSE

"""
OLD = 30_000


def test_a_long_log_costs_no_more_and_a_burst_is_cut(logging: Logging) -> None:
    slapd, server = logging.slapds["ldap4"], logging.servers[3]
    began = datetime.now(UTC) - timedelta(hours=1)
    times = [began + timedelta(milliseconds=each) for each in range(OLD)]
    times += [datetime.now(UTC) - timedelta(seconds=15, milliseconds=each) for each in range(2000)]
    slapd.stop()
    ldif = "".join(
        ENTRY.format(began=each.strftime("%Y%m%d%H%M%S.%f"), root=ROOT_DN, suffix=SUFFIX)
        for each in times
    )
    slapd.tool("add", "-q", "-b", "cn=accesslog", ldif=ldif)
    slapd.start()

    started = time.monotonic()
    facts = Logging((server,), {}).survey().found[server.id].facts

    assert time.monotonic() - started < 2.0
    assert facts.is_limited
    assert 400 < facts.traffic["search"].operations <= PARAMS.most_operations


def test_accounts_that_are_no_clients_are_left_out(logging: Logging) -> None:
    logging.load()
    time.sleep(SETTLE_SECONDS + 2.0)
    of_replication = replace(PARAMS, except_accounts=(DN(ROOT_DN),))

    found = Logging(logging.servers[:1], {}).survey(params=of_replication).found["c/ldap1"]

    assert found.facts == Facts()


def test_a_server_that_is_down_keeps_no_other_from_being_read(logging: Logging) -> None:
    down = Server(cluster="c", name="down", uri=f"ldapi://%2Fnonexistent%2F{'s' * 8}")

    found = Logging((down, logging.servers[0]), {}).survey().found

    assert found["c/down"].facts.unread.startswith("cannot connect to /nonexistent/")
    assert found["c/ldap1"].facts.unread == ""


def test_an_account_without_the_right_is_told_what_it_lacks(logging: Logging) -> None:
    stranger = Server(cluster="c", name="s", uri=logging.servers[0].uri)

    facts = Logging((stranger,), {}).survey().found["c/s"].facts

    assert facts.unread == "cn=accesslog does not exist, or the account has no right to read it"
