"""What `ldaphealth setup` prints is enough for every check, and for nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from demo import wait
from demo.client import LdapError
from demo.tree import CANARIES, CHECK_DN, PEOPLE, ROOT_DN, SUFFIX, person
from ldaphealth.checks import BUILT_IN
from tests.slapd.strict_site import LOG, POLICY, SECRET, TEAM, StrictSite

pytestmark = pytest.mark.slapd

FOUND_SECONDS = 60.0
WITHOUT_FINDINGS = {"session"}
IDENTITY = {"entryUUID", "entryCSN"}  # content reads them of every entry
READABLE = {
    SUFFIX: {"contextCSN"},
    CHECK_DN: {"pwdChangedTime", "pwdPolicySubentry"},
    POLICY: {"pwdMaxAge"},
    **{person(number): {"uid"} for number in range(1, 6)},  # values for the workload
}
OF_CANARIES = {"ou", "description"}
OF_LOG = {"reqType", "reqResult", "reqStart", "reqEnd"}
HIDDEN = ("mail", "description", "carLicense", "sambaNTPassword", "krbPrincipalKey", "pwdHistory")


@pytest.fixture(scope="module", params=["cn=config", "slapd.conf"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StrictSite]:
    with ExitStack() as running:
        yield StrictSite(tmp_path_factory.mktemp("strict"), request.param, running)


def test_every_check_works_with_it(site: StrictSite) -> None:
    wanted = {*BUILT_IN, "spaced"} - WITHOUT_FINDINGS

    def unmet() -> list[str]:
        found = site.findings()
        missing = wanted - {each["check"] for each in found if each["server"] == "c/alpha"}
        return [*missing, *(each["summary"] for each in found if each["state"] != "OK")]

    site.agent.launch()
    try:
        is_well = wait.comes_true(lambda: not unmet(), FOUND_SECONDS, 0.5)
        assert is_well, unmet()
    finally:
        site.agent.stop()


def test_the_account_reads_only_what_is_named(site: StrictSite) -> None:
    entries = site.client(ROOT_DN).search(SUFFIX, "(objectClass=*)", "1.1")
    seen = site.client(CHECK_DN).search(SUFFIX, "(objectClass=*)", "*", "+")
    shown = {each["dn"][0]: {*each} - {"dn"} for each in seen}

    assert {*shown} == {each["dn"][0] for each in entries}
    for dn, attributes in shown.items():
        of = OF_CANARIES if dn.endswith(f",{CANARIES}") else READABLE.get(dn, set())
        assert attributes <= of | IDENTITY, dn


@pytest.mark.parametrize("name", HIDDEN)
def test_it_finds_no_entry_by_what_is_hidden(site: StrictSite, name: str) -> None:
    assert site.client(ROOT_DN).search(SUFFIX, f"({name}=*)", name)
    assert not site.client(CHECK_DN).search(PEOPLE, f"({name}=*)", "1.1")


def test_it_reads_only_what_is_named_of_the_log_and_the_monitor(site: StrictSite) -> None:
    account = site.client(CHECK_DN)
    log = account.search(LOG, "(reqStart=*)", "*", "+", scope="one")
    monitor = account.search("cn=Monitor", "(objectClass=*)", "1.1", scope="base")

    assert log
    assert {name for each in log for name in each} <= OF_LOG | {"dn"}
    assert monitor
    for hidden in ("cn=Listeners,cn=Monitor", "cn=Connections,cn=Monitor"):
        with pytest.raises(LdapError, match=r"\(32\)"):  # noSuchObject: it is not disclosed
            account.search(hidden)


@pytest.mark.parametrize(
    ("dn", "change"),
    [
        (person(1), f"replace: description\ndescription: {SECRET}"),
        (TEAM, f"add: member\nmember: {CHECK_DN}"),
        (CHECK_DN, "replace: userPassword\nuserPassword: x"),
        (f"cn=lb1 c/alpha,{CANARIES}", "replace: ou\nou: x"),
        (f"cn=lb1 c/alpha,{CANARIES}", "delete: objectClass"),
        (CANARIES, "replace: description\ndescription: x"),
    ],
)
def test_it_changes_nothing_but_the_token(site: StrictSite, dn: str, change: str) -> None:
    with pytest.raises(LdapError, match=r"\(50\)"):  # insufficientAccessRights
        site.client(CHECK_DN).modify(dn, change)


def test_it_adds_and_deletes_nothing(site: StrictSite) -> None:
    account = site.client(CHECK_DN)

    with pytest.raises(LdapError, match=r"\(50\)"):
        account.add(f"ou=more,{CANARIES}", "objectClass: organizationalUnit\nou: more")
    with pytest.raises(LdapError, match=r"\(50\)"):
        account.delete(f"cn=lb2 c/alpha,{CANARIES}")


def test_slapd_starts_again_with_these_rules(site: StrictSite) -> None:
    for slapd in site.slapds.values():
        slapd.stop()
        slapd.start()

    assert site.client(CHECK_DN).read(SUFFIX, "contextCSN")


def test_rules_are_removed_by_the_ldif_that_added_them(site: StrictSite) -> None:
    """By the command of docs/setup.md, with `delete` in place of `add`."""
    if site.form != "cn=config":
        pytest.skip("slapd.conf(5) is edited by hand")
    account, ldif = site.client(CHECK_DN), site.rules()
    removed = re.sub(r"^add:", "delete:", ldif, flags=re.MULTILINE)

    site.change_config(removed)
    with pytest.raises(LdapError):
        account.search("cn=Monitor", "(objectClass=*)", "1.1", scope="base")
    site.change_config(ldif)

    assert account.search("cn=Monitor", "(objectClass=*)", "1.1", scope="base")
