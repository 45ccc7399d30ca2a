"""A slapd without a monitor database gets one by the LDIF of `ldaphealth doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from demo import tree
from demo.client import Client
from demo.cluster import Cluster
from demo.programs import slapd_for
from demo.slapd import Slapd
from demo.tree import CHECK_DN, ROOT_DN, SUFFIX
from tests.slapd.doctor_run import configure, doctor

pytestmark = pytest.mark.slapd

CONF = f"""\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
loglevel 0
database config
rootdn {ROOT_DN}
access to * by * none
database mdb
suffix {SUFFIX}
rootdn {ROOT_DN}
rootpw {{password}}
directory {{database}}
access to * by dn.exact="{CHECK_DN}" read by anonymous auth
"""


@pytest.fixture
def plain(cluster: Cluster) -> Iterator[Slapd]:
    """Return a server without a monitor database."""
    slapd = Slapd(slapd_for(cluster.directory), cluster.directory / "plain", ())
    password = cluster.accounts.root.password_file.read_text()
    slapd.load(CONF.format(database=slapd.database, password=password), "")
    slapd.tool("add", "-q", "-b", SUFFIX, ldif=tree.ldif(datetime.now(UTC)))
    slapd.start()
    yield slapd
    slapd.kill()


def test_a_monitor_database_is_added(plain: Slapd, cluster: Cluster, tmp_path: Path) -> None:
    config = configure(tmp_path, cluster, uris=[plain.ldapi_uri])
    found = doctor(config)
    (ldif,) = found.steps("monitor.missing", "ldif")
    Client(plain.ldapi_uri, cluster.accounts.root).change(ldif)
    after = doctor(config)

    assert (found.exit_status, found.where("monitor.missing")) == (1, ["c/ldap1"])
    assert set(found.problems) - {"agent.not_running"} == {"monitor.missing"}
    assert set(after.problems) == {"agent.not_running"}
    assert after.covered["clocks"].startswith("1 of 1 server, to within 50")
