"""A wrong password locks no account, and a server that alone refuses a good one is found."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ldaphealth.ldap.accounts import KEPT_SECONDS, Account, Accounts, Refusal, Turn
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.model import BindMethod, Credentials, Failure, FailureKind, Secret, Server

REFUSED = Failure(FailureKind.BIND, "refused", "invalidCredentials", answered=True)
RETRY_SECONDS = 60.0
INTERVAL_SECONDS = 5.0
GOOD = "x"
FOUR = ("ldap1", "ldap2", "ldap3", "ldap4")


class Site:
    """Servers that are probed in turn, and the binds that they got."""

    def __init__(self, servers: Iterable[str] = FOUR) -> None:
        self.servers = tuple(servers)
        self.refusing: set[str] = set()
        self.account = Account(RETRY_SECONDS)
        self.now = 1000.0
        self.binds: list[tuple[float, str]] = []
        self.latest: dict[str, bool] = {}  # whether the latest round had a refused bind

    def probe(self, server: str) -> None:
        """Have a session bind to the server, if it may."""
        turn = self.account.turn(server, self.now)
        assert turn is not Turn.WAIT  # nothing else is in progress
        self.latest[server] = True
        if turn is not Turn.TRY:
            return
        self.binds.append((self.now, server))
        self.account.began(server, self.now)
        self.account.ended(server)
        if server in self.refusing:
            self.account.refused(server, self.now, REFUSED, is_guessed=True)
        else:
            self.account.accepted(server, self.now)
            self.latest[server] = False

    def run(self, seconds: float) -> None:
        """Probe the servers in turn for so long."""
        end = self.now + seconds
        while self.now < end:
            for server in self.servers:
                self.probe(server)
                self.now += INTERVAL_SECONDS / len(self.servers)

    def refused_since(self, moment: float) -> list[str]:
        """Return the servers that refused a bind since, in order."""
        return [server for at, server in self.binds if at >= moment and server in self.refusing]


def test_a_good_password_is_never_held_back() -> None:
    site = Site()
    site.run(60)

    assert len(site.binds) == 4 * 12


@pytest.mark.parametrize("was_good", [False, True])
def test_a_wrong_password_is_tried_at_two_servers_in_the_first_minute(was_good: bool) -> None:
    site = Site()
    site.run(30 if was_good else 0)
    changed = site.now
    site.refusing = set(FOUR)
    site.run(59)

    assert len(site.refused_since(changed)) == 2
    assert all(site.latest.values())


def test_a_wrong_password_is_tried_ever_more_seldom() -> None:
    site = Site()
    site.refusing = set(FOUR)
    site.run(3600)

    assert len(site.binds) <= 2 + 6


def test_a_password_that_is_good_again_is_found_at_the_next_attempt() -> None:
    site = Site()
    site.refusing = set(FOUR)
    site.run(30)
    site.refusing = set()
    site.run(40)

    assert not any(site.latest.values())


@given(st.sets(st.sampled_from(FOUR), max_size=1), st.permutations(FOUR))
def test_a_server_that_alone_refuses_is_found_at_once(bad: set[str], order: list[str]) -> None:
    site = Site(order)
    site.refusing = bad
    site.run(3 * INTERVAL_SECONDS)

    assert {server for server, is_refused in site.latest.items() if is_refused} == bad


def test_a_server_that_alone_refuses_is_tried_twice_and_then_seldom() -> None:
    site = Site()
    site.run(30)
    changed = site.now
    site.refusing = {"ldap3"}
    for seconds, tries in ((RETRY_SECONDS - 1, 2), (RETRY_SECONDS, 3), (2 * RETRY_SECONDS, 4)):
        site.run(seconds)
        assert len(site.refused_since(changed)) == tries
    assert [server for server, is_refused in site.latest.items() if is_refused] == ["ldap3"]


def test_two_servers_that_refuse_are_found_when_a_third_is_tried() -> None:
    site = Site()
    site.refusing = {"ldap1", "ldap2"}
    site.run(RETRY_SECONDS + 2 * INTERVAL_SECONDS)

    refused = {server for server, is_refused in site.latest.items() if is_refused}
    assert refused == {"ldap1", "ldap2"}


@given(
    st.integers(1, 12),
    st.integers(0, 2**32),
    st.floats(10, 600),
)
def test_in_an_hour_no_account_gets_more_than_ten_wrong_passwords(
    size: int, seed: int, good_seconds: float
) -> None:
    chance = random.Random(seed)  # noqa: S311  an order of servers is no secret
    site = Site(f"ldap{number}" for number in range(size))
    site.run(good_seconds)
    site.refusing = set(site.servers)
    changed = site.now
    while site.now < changed + 3600:
        site.probe(chance.choice(site.servers))
        site.now += 5 / size

    assert len(site.refused_since(changed)) <= 10


def test_a_reload_ends_the_pause_but_for_the_first_minute() -> None:
    site = Site()
    site.refusing = set(FOUR)
    site.run(170)  # refused after 60 s, and not tried again for twice as long
    tries = len(site.binds)
    site.account.retry_soon(site.now)
    site.run(10)
    again = len(site.binds)
    site.account.retry_soon(site.now)
    site.run(10)

    assert (again - tries, len(site.binds) - again) == (1, 0)


def test_what_the_server_says_by_itself_is_asked_again_each_minute() -> None:
    account = Account(RETRY_SECONDS)
    for times in range(5):
        account.refused("ldap1", times * RETRY_SECONDS, REFUSED, is_guessed=False)
        held = account.turn("ldap1", times * RETRY_SECONDS + 1)
        assert isinstance(held, Refusal)
        assert held.retry_at == (times + 1) * RETRY_SECONDS


def test_grace_logins_are_kept_at_all_servers_for_an_hour() -> None:
    account = Account(RETRY_SECONDS)
    account.accepted("ldap1", 0.0)
    account.keep("ldap1", 0.0, REFUSED)

    assert isinstance(account.turn("ldap1", 1.0), Refusal)
    assert isinstance(account.turn("ldap2", KEPT_SECONDS - 1), Refusal)
    assert account.turn("ldap2", KEPT_SECONDS + 1) is Turn.TRY


def server(name: str, password: str = GOOD, retry: float = RETRY_SECONDS) -> Server:
    credentials = Credentials(
        BindMethod.SIMPLE, "cn=probe", Secret(password), retry_after_seconds=retry
    )
    return Server(cluster="c", name=name, uri=f"ldap://{name}", credentials=credentials)


def at_once(
    accounts: Accounts, servers: Iterable[Server], results: Mapping[str, Failure | None]
) -> dict[str, Failure | None]:
    """Bind to all servers at the same moment; return why each one did not, None if it did."""
    found: dict[str, Failure | None] = {}
    barrier = threading.Barrier(len([*servers]))

    def bind(each: Server) -> None:
        barrier.wait()
        found[each.name] = accounts.begin(each, Deadline.after(5.0))
        if found[each.name] is None:
            time.sleep(0.02)
            failure = results[each.name]
            accounts.end(each, failure, is_refused=failure is not None, is_guessed=True)

    threads = [threading.Thread(target=bind, args=(each,)) for each in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@pytest.mark.parametrize(
    ("refusing", "binds"), [((), 8), (("s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"), 2)]
)
def test_servers_that_are_probed_at_once_wait_for_the_first_result(
    refusing: tuple[str, ...], binds: int
) -> None:
    servers = [server(f"s{number}") for number in range(8)]
    results = {each.name: REFUSED if each.name in refusing else None for each in servers}

    found = at_once(Accounts(), servers, results)

    assert list(found.values()).count(None) == binds
    for each in filter(None, found.values()):
        assert "next attempt in 59 s" in each.detail
        assert each.result_code == "invalidCredentials"


def clocked() -> tuple[Accounts, Callable[[float], None]]:
    now = [100.0]

    def go_on(seconds: float) -> None:
        now[0] += seconds

    return Accounts(lambda: now[0]), go_on


def refuse(accounts: Accounts, each: Server) -> None:
    assert accounts.begin(each, Deadline.after(5.0)) is None
    accounts.end(each, REFUSED, is_refused=True, is_guessed=True)


def test_a_server_that_hangs_does_not_hold_up_the_others() -> None:
    accounts = Accounts()
    assert accounts.begin(server("hung"), Deadline.after(5.0)) is None
    began = time.monotonic()
    assert accounts.begin(server("other"), Deadline.after(5.0)) is None

    assert 0.3 < time.monotonic() - began < 2.0


def test_another_password_is_tried_at_once() -> None:
    accounts, _ = clocked()
    refuse(accounts, server("ldap1", "old"))
    refuse(accounts, server("ldap2", "old"))

    assert accounts.begin(server("ldap1", "old"), Deadline.after(5.0)) is not None
    assert accounts.begin(server("ldap1", "new"), Deadline.after(5.0)) is None


def test_another_cluster_is_another_directory() -> None:
    accounts, _ = clocked()
    refuse(accounts, server("ldap1"))
    refuse(accounts, server("ldap2"))

    assert accounts.begin(replace(server("ldap1"), cluster="d"), Deadline.after(5.0)) is None


def test_the_failure_says_when_it_was_refused_and_when_it_is_tried_again() -> None:
    accounts, go_on = clocked()
    refuse(accounts, server("ldap1"))
    go_on(1)
    refuse(accounts, server("ldap2"))
    go_on(12)
    held = accounts.begin(server("ldap3"), Deadline.after(5.0))

    assert held is not None
    assert held.detail == "refused; refused by ldap2 12 s ago, next attempt in 48 s"


def test_a_reload_forgets_what_no_session_uses_any_more() -> None:
    accounts, go_on = clocked()
    refuse(accounts, server("ldap1", "old"))
    go_on(KEPT_SECONDS + 1)
    accounts.reload()

    assert accounts.begin(server("ldap1", "old"), Deadline.after(5.0)) is None
