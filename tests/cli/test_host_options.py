"""What the options of check_ldaphealth for one server mean together."""

from __future__ import annotations

from typing import Any

import click
import pytest

from ldaphealth.cli.host_options import HostOptions, as_check_ldap

PLUGIN, START_TLS_PLUGIN = "/usr/lib/nagios/plugins/check_ldaphealth", "/x/check_ldaps"


@pytest.mark.parametrize(
    ("given", "uri"),
    [
        pytest.param({"host": "h"}, "ldap://h", id="a name"),
        pytest.param({"host": "h", "port": 390}, "ldap://h:390", id="a port"),
        pytest.param({"host": "h", "ssl": True}, "ldaps://h", id="LDAPS"),
        pytest.param({"host": "h", "port": 636}, "ldaps://h:636", id="its port"),
        pytest.param({"host": "h:636"}, "ldaps://h:636", id="its port in -H"),
        pytest.param({"host": "h:390"}, "ldap://h:390", id="another port in -H"),
        pytest.param({"host": "h:390", "ssl": True}, "ldaps://h:390", id="LDAPS on another port"),
        pytest.param({"host": "ldap://h"}, "ldap://h:389", id="a URL"),
        pytest.param({"host": "ldap://h", "port": 389}, "ldap://h:389", id="a URL and its port"),
        pytest.param({"host": "LDAPS://h:1636"}, "ldaps://h:1636", id="a URL with LDAPS"),
        pytest.param({"host": "pldaps://h"}, "pldaps://h:636", id="a URL with PROXY protocol"),
        pytest.param({"host": "ldapi://%2Frun%2Fldapi"}, "ldapi://%2Frun%2Fldapi", id="a socket"),
        pytest.param({"host": "/run/ldapi:1"}, "ldapi://%2Frun%2Fldapi%3A1", id="a path"),
        pytest.param({"host": "::1"}, "ldap://[::1]", id="IPv6"),
        pytest.param({"host": "2001:db8::636"}, "ldap://[2001:db8::636]", id="IPv6 without a port"),
        pytest.param({"host": "[::1]:390"}, "ldap://[::1]:390", id="IPv6 and a port"),
        pytest.param({"host": "[::1]", "port": 636}, "ldaps://[::1]:636", id="IPv6 and LDAPS"),
    ],
)
def test_the_address_of_the_server(given: dict[str, Any], uri: str) -> None:
    options = as_check_ldap(HostOptions(**given), PLUGIN)

    assert (options.uri, options.starttls) == (uri, False)


@pytest.mark.parametrize(
    ("given", "program", "uri", "starts_tls"),
    [
        pytest.param({"host": "h"}, START_TLS_PLUGIN, "ldap://h", True, id="by its name"),
        pytest.param({"host": "h", "starttls": True, "port": 636}, PLUGIN, "ldap://h:636", True),
        pytest.param({"host": "h", "port": 636}, START_TLS_PLUGIN, "ldaps://h:636", False),
        pytest.param({"host": "ldaps://h"}, START_TLS_PLUGIN, "ldaps://h:636", False),
        pytest.param({"host": "/run/ldapi"}, START_TLS_PLUGIN, "ldapi://%2Frun%2Fldapi", False),
        pytest.param({}, START_TLS_PLUGIN, "ldap://", False, id="a cluster of the configuration"),
    ],
)
def test_whether_tls_is_started(
    given: dict[str, Any], program: str, uri: str, *, starts_tls: bool
) -> None:
    options = as_check_ldap(HostOptions(**given), program)

    assert (options.uri, options.starttls) == (uri, starts_tls)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"host": "ldap://h:390", "port": 389}, "different ports"),
        ({"host": "h:390", "port": 636}, "different ports"),
        ({"host": "ldap://h", "ssl": True}, "-S is LDAPS"),
        ({"host": "ldaps://h", "starttls": True}, "exclude each other"),
        ({"host": "http://h"}, "not an LDAP URL"),
        ({"host": "h:99999"}, "not an LDAP URL"),
        ({"host": "ldap://h/dc=x"}, "more than a host and port"),
    ],
)
def test_a_contradiction_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(click.UsageError, match=words):
        as_check_ldap(HostOptions(**given), PLUGIN)
