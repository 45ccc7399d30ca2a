"""Values for templates, read of a real slapd: bounded, of the form that is wanted, no password."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from demo.cluster import Cluster
from demo.tree import CHECK_DN, CHECK_PASSWORD, PEOPLE, SUFFIX
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.ldap.names import DN, AttributeName
from ldaphealth.ldap.session import Session, open_session
from ldaphealth.model import BindMethod, Credentials, Secret, Server
from ldaphealth.workload.shape import ValueSource
from ldaphealth.workload.values import read_values

pytestmark = pytest.mark.slapd

UID = ValueSource(attribute=AttributeName("uid"), base=PEOPLE)


@pytest.fixture
def session(cluster: Cluster) -> Iterator[Session]:
    """Return a session of the account of the checks."""
    server = Server(
        cluster="c",
        name="s",
        uri=cluster.nodes[0].uri,
        suffix=SUFFIX,
        credentials=Credentials(BindMethod.SIMPLE, CHECK_DN, Secret(CHECK_PASSWORD)),
    )
    opened = open_session(server, Deadline.after(10.0))
    yield opened
    opened.close()


def test_the_values_of_an_attribute_are_read(session: Session) -> None:
    found = read_values(session, {"uid": UID}, 500)

    assert {"user1", "user2"} <= {*found["uid"]}


def test_so_many_are_read_at_most(session: Session) -> None:
    found = read_values(session, {"uid": UID, "again": UID}, 3)

    assert [len(each) for each in found.values()] == [3, 3]


@pytest.mark.parametrize(
    "form", [f"uid=*,{PEOPLE}", f"uid=*,ou=*,{SUFFIX}", "uid=*,ou=*,dc=*,dc=com"]
)
def test_the_dns_of_a_form_are_read(session: Session, form: str) -> None:
    found = read_values(session, {"person": ValueSource(dn=form)}, 500)

    assert f"uid=user1,{PEOPLE}" in found["person"]
    assert {each.partition(",")[2] for each in found["person"]} == {PEOPLE}


@pytest.mark.parametrize(
    "source",
    [
        ValueSource(attribute=AttributeName("userPassword"), base=DN(SUFFIX)),
        ValueSource(attribute=AttributeName("telephoneNumber"), base=DN(SUFFIX)),
        ValueSource(attribute=AttributeName("uid"), base=DN("dc=nowhere")),
        ValueSource(dn="cn=*,dc=nowhere"),
    ],
    ids=["passwords", "an attribute without values", "no such base", "no entry of the form"],
)
def test_a_source_without_values_leaves_the_others(session: Session, source: ValueSource) -> None:
    found = read_values(session, {"none": source, "uid": UID}, 5)

    assert (found["none"], len(found["uid"])) == ((), 5)


def test_a_list_needs_no_search(session: Session) -> None:
    session.counts.clear()

    assert read_values(session, {"list": ValueSource(values=("a", "b"))}, 5) == {"list": ("a", "b")}
    assert session.counts == {}
