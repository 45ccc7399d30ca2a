"""Configurations for the tests: a usual one, and those with everything that is odd."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ldaphealth.config import load
from ldaphealth.generate.site import Site

USUAL = """\
agent: {http: {}, haproxy: {}}
clusters:
  example:
    servers: {ldap1: "ldap://192.0.2.11", ldap2: {uri: "ldap://192.0.2.12", weight: 50}}
"""
LEAST = """\
clusters:
  c:
    servers: {a: "ldap://192.0.2.11"}
"""
ODD = """\
agent:
  http: {listen: "[::]:8389"}
  haproxy: {listen: "0.0.0.0:8390"}
  runtime_directory: /run/ldap health/$x;100%
  state_directory: "/var/lib/odd (dir); $x 100%"
  socket_group: monitoring
clusters:
  _a.b-c:
    deadline_seconds: 20.5
    interval_seconds: 0.5
    servers:
      '1': ldap://192.0.2.11
      A.b_c-d: {uri: "ldap://[2001:db8::12]:1389", weight: 0}
      tls: {uri: ldaps://192.0.2.13, weight: 253, role: consumer}
      tls6: "ldaps://[2001:db8::14]"
      socket: ldapi://%2Frun%2Fslapd%2Fldapi
      link: "ldap://[fe80::1%eth0]"
      proxied: pldaps://192.0.2.15
      named: ldap://ldap.invalid
      here: ldap://127.0.0.1:1389
      Virtual: {uri: "ldap://192.0.2.9", role: balancer}
  second:
    servers: {'1': "ldap://[2001:db8::21]", '2': "ldap://[2001:db8::22]"}
  third:
    servers: {only: ldapi:///run/x}
"""
ODD = ODD.replace("ldapi:///run/x", "ldapi://%2Frun%2Fx")
TRACKED = USUAL.replace("http: {}", "track_files: true")
SITES = {"usual": USUAL, "least": LEAST, "odd": ODD, "tracked": TRACKED}


def site(directory: Path, text: str, **given: Any) -> Site:
    """Return what is generated from a configuration with this text."""
    path = directory / "ldaphealth.yaml"
    path.write_text(text)
    settings = load(path)
    chosen = tuple(settings.clusters.values())
    return Site(settings=settings, clusters=chosen, **given)
