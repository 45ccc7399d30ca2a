"""prometheus.yml with a scrape of the agent, and the rules for alerts (docs/metrics.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files

from ldaphealth.generate.site import Site, comments, heading, reachable
from ldaphealth.settings import HttpSettings

HEADING = """\
prometheus.yml that scrapes ldaphealth's agent; docs/metrics.md has every metric.
Test it: promtool check config FILE. In a file that exists, add the job and rule_files."""
OFF = """\
SET THIS: the agent does not answer by HTTP yet. Write this in the configuration of ldaphealth and
restart the agent:  agent: {http: {}}"""
LOOPBACK = (
    "This address answers on the agent's own host alone; `agent.http.listen` has another one."
)
GLOBAL = """
global:
  scrape_interval: 15s
  evaluation_interval: 15s

rule_files:
  - ldaphealth.rules.yml # ldaphealth generate prometheus-rules --output ldaphealth.rules.yml

scrape_configs:
  # What the agent knows: a scrape causes no LDAP traffic.
  - job_name: ldaphealth # the rules use this name
    static_configs:
"""
CLIENT_CERTIFICATE = """\
      # SET THIS: the certificate of Prometheus, of one of the CAs in client_ca_file of the agent.
      cert_file: /etc/prometheus/ldaphealth-client.pem
      key_file: /etc/prometheus/ldaphealth-client.key
"""
WEB_CONFIG = """\
    # SET THIS: {file} decides about TLS and passwords of the agent. If it has these sections:
    #scheme: https                # tls_server_config
    #tls_config: {{ca_file: /etc/prometheus/ldaphealth-ca.pem}}
    #basic_auth: {{username: NAME, password_file: /etc/prometheus/ldaphealth-password}} # basic_auth_users
"""  # noqa: E501  a line of YAML


def prometheus(site: Site) -> str:
    """Return prometheus.yml; the files of Prometheus itself have names to be set."""
    http = site.settings.agent.http
    head = heading(site, "prometheus", HEADING) + comments([] if http else OFF.splitlines())
    return "".join(
        ["\n".join(head), "\n", GLOBAL, *_targets(http or HttpSettings()), *_access(http)]
    )


def prometheus_rules(_: Site) -> str:
    """Return the rules for alerts, which hold for every configuration."""
    return files(__package__).joinpath("templates", "ldaphealth.rules.yml").read_text("utf-8")


def _targets(http: HttpSettings) -> Iterator[str]:
    if http.listen.is_loopback:
        yield "\n".join(comments([LOOPBACK], "      ")) + "\n"
    yield f"      - targets: [{json.dumps(str(reachable(http.listen)))}] # one for each agent\n"


def _access(http: HttpSettings | None) -> Iterator[str]:
    """Yield how Prometheus gets through TLS and credentials of the agent, if it has any."""
    if http is None:
        return
    if http.web_config_file:
        file = comments([http.web_config_file])[0].removeprefix("# ")
        yield WEB_CONFIG.format(file=file)
        return
    if http.certificate_file:
        yield "    scheme: https\n"
        yield "    tls_config:\n"
        yield "      # SET THIS: the CA that issued the certificate of the agent.\n"
        yield "      ca_file: /etc/prometheus/ldaphealth-ca.pem\n"
        if http.client_ca_file:
            yield CLIENT_CERTIFICATE
    if http.token_file:
        yield "    authorization:\n"
        yield from _copy_of(http.token_file)
        yield "      credentials_file: /etc/prometheus/ldaphealth-token\n"
    elif http.user:
        yield "    basic_auth:\n"
        yield f"      username: {json.dumps(http.user)}\n"
        yield from _copy_of(http.password_file)
        yield "      password_file: /etc/prometheus/ldaphealth-password\n"


def _copy_of(file: str) -> Iterator[str]:
    about = f"SET THIS: a copy of {file} that Prometheus may read."
    yield "\n".join(comments([about], "      ")) + "\n"
