"""keepalived.conf: a virtual server for each cluster, checked by the scripts in keepalived/.

keepalived/README.md and the examples beside it have the reason for each setting.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ldaphealth.generate.site import (
    DEFAULT_CONFIG,
    Site,
    comments,
    heading,
    version,
    whole_seconds,
)
from ldaphealth.generate.virtual_service import RealServer, VirtualService, virtual_services
from ldaphealth.model import Role, Server
from ldaphealth.settings import AgentSettings, Cluster

SCRIPTS = Path("/usr/local/libexec")  # by hand, as in keepalived/README.md
PACKAGED_SCRIPTS = Path("/usr/libexec/ldaphealth")  # of the Debian package
PACKAGED_PROGRAMS = Path("/usr/bin")
# Where ldaphealth-check finds the program by itself.
PROGRAM_DIRECTORIES = ("/opt/ldaphealth/bin", "/usr/local/bin", "/usr/bin", "/bin")
PLAIN_PATH = re.compile(r"[\w./+:@,=-]+", re.ASCII)
SCRIPT_LIMIT_SECONDS = 8  # LDAPHEALTH_SECONDS of ldaphealth-check if it is not set
LONGEST_LIMIT_SECONDS = 300
GRACE_SECONDS = 3  # of that limit, for the start of the program
LOG_AND_KILL_SECONDS = 4  # after that limit, until misc_timeout
HEADING = """\
keepalived.conf for LDAP servers that ldaphealth checks; keepalived/README.md has the reasons.
Test it: keepalived --config-test --use-file FILE, and the scripts by hand as in that README."""
GLOBAL = """
global_defs {{
    # The user that runs the checks; create it first. Without this line and without a user
    # keepalived_script, keepalived drops every check and keeps all servers in.
    script_user ldaphealth
    # The scripts in {scripts} must be writable by root alone, and all directories above.
    # Otherwise the check is dropped, and the server stays in service unchecked.
    enable_script_security
}}
"""
PAIR = """
# For a pair of balancers, `ldaphealth generate keepalived --interface NAME` adds a vrrp_instance.
"""
VRRP = """
# The better one of two balancers has the addresses: its agent runs and reaches servers.
vrrp_script ldaphealth_fit {{
    script "{scripts}/ldaphealth-fit"
    interval 2
    timeout 2
    # Two failures in a row: the restart of an agent does not make a balancer unfit.
    fall 2
    rise 2
    # A weight and not FAULT: if both balancers are unfit, nothing changes.
    weight -60
}}

vrrp_instance ldap {{
    state BACKUP
    interface {interface}
    virtual_router_id 51 # no other pair in this network may have it
    priority 150 # SET THIS: 100 on the other balancer
    advert_int 1
{addresses}
    track_script {{
        ldaphealth_fit
    }}
}}
"""
TRACK_FILE = """
track_file {server}.{suffix} {{
    file {directory}/{server}.{suffix}
    weight {weight}
}}
"""
SERVICE = """
virtual_server {address} {port} {{
    # Seconds from the start of one check to the start of the next.
    delay_loop {interval_seconds}
    # LDAP connections are long-lived: balance by their number and not in turn.
    lb_algo wlc
    # Direct routing: every server has the virtual address on its loopback interface, too.
    lb_kind DR
    protocol TCP
"""
RETRY = """\

    # One more failure, a second later, before a server is removed. The first check is made at once.
    retry 1
    delay_before_retry 1
    warmup 0
"""
MISC_CHECK = """\
        weight {server.weight}
        MISC_CHECK {{
            misc_path "{scripts}/ldaphealth-check --dynamic {server.id}"
            # The exit status is the weight plus 2: --dynamic and misc_dynamic both or neither.
            misc_dynamic
            # Longer than the limit of the script, {limit_seconds} s.
            misc_timeout {timeout_seconds}
        }}
"""
FILE_CHECK = """\
        # The files have the difference to 100, which is the weight here for every server.
        weight 100
        FILE_CHECK {{
            track_file {server.id}.weight
            weight 1
        }}
        FILE_CHECK {{
            track_file {server.id}.fault
            weight 0
        }}
        # When the agent is dead, its last verdict stays. This still finds a closed port.
        TCP_CHECK {{
            connect_timeout 3
        }}
"""


def keepalived(site: Site) -> str:
    """Return keepalived.conf: with FILE_CHECK if `track_files` is set, else with MISC_CHECK.

    ValueError: the directory of the files for FILE_CHECK cannot stand in it.
    """
    found = [virtual_services(site, each) for each in site.clusters]
    services = [each for of_cluster, _ in found for each in of_cluster]
    left_out = [line for _, lines in found for line in lines]
    return "".join(
        [
            *_lines([*heading(site, "keepalived", HEADING), *comments(_environment(site))]),
            GLOBAL.format(scripts=_scripts(site)),
            _vrrp(site, services) if site.interface and services else PAIR,
            *_track_files(site, services),
            *(part for each in services for part in _virtual_server(site, each)),
            *_lines(["", *comments(left_out)] if left_out else []),
        ]
    )


def _lines(lines: Sequence[str]) -> Iterator[str]:
    yield from (f"{each}\n" for each in lines)


def _environment(site: Site) -> Iterator[str]:
    """Yield what must be set for the scripts where their defaults do not hold."""
    agent, usual = site.settings.agent, AgentSettings()
    table = (
        ("LDAPHEALTH_CONFIG", site.config_file, DEFAULT_CONFIG),
        ("LDAPHEALTH_VERDICTS", agent.verdict_directory, usual.verdict_directory),
        ("LDAPHEALTH_BALANCER", agent.balancer_path, usual.balancer_path),
        (
            "LDAPHEALTH_OVERRIDES",
            agent.state_directory / "overrides",
            usual.state_directory / "overrides",
        ),
        ("LDAPHEALTH_SECONDS", script_limit_seconds(site.clusters), SCRIPT_LIMIT_SECONDS),
    )
    different = [f"{name}={value}" for name, value, default in table if value != default]
    if str(site.program.parent) not in PROGRAM_DIRECTORIES:
        different.append(f"LDAPHEALTH={site.program}")
    if different:
        yield "The scripts need these settings; on Debian in `systemctl edit keepalived`:"
        yield "  [Service]"
        yield from (f'  Environment="{each.replace("%", "%%")}"' for each in different)


def _scripts(site: Site) -> Path:
    """Return the directory of the scripts, which depends on how the program was installed."""
    return PACKAGED_SCRIPTS if site.program.parent == PACKAGED_PROGRAMS else SCRIPTS


def script_limit_seconds(clusters: Iterable[Cluster]) -> int:
    """Return the limit of the script: the longest deadline, and what the program itself needs."""
    longest = max((whole_seconds(each.deadline_seconds) for each in clusters), default=0)
    return min(LONGEST_LIMIT_SECONDS, max(SCRIPT_LIMIT_SECONDS, longest + GRACE_SECONDS))


def _vrrp(site: Site, services: Sequence[VirtualService]) -> str:
    """Return a vrrp_instance; its advertisements have the addresses of one IP version only."""
    addresses = list(dict.fromkeys(each.address for each in services))
    first = version(addresses[0])
    blocks = (
        ("virtual_ipaddress", [each for each in addresses if version(each) == first]),
        ("virtual_ipaddress_excluded", [each for each in addresses if version(each) != first]),
    )
    shown = [
        line
        for name, members in blocks
        if members
        for line in [f"    {name} {{", *(f"        {each}" for each in members), "    }"]
    ]
    return VRRP.format(scripts=_scripts(site), interface=site.interface, addresses="\n".join(shown))


def _track_files(site: Site, services: Sequence[VirtualService]) -> Iterator[str]:
    """Yield the files for FILE_CHECK; their directory must exist when keepalived starts."""
    if not site.settings.agent.track_files:
        return
    directory = str(site.settings.agent.track_directory)
    if not PLAIN_PATH.fullmatch(directory):
        raise ValueError(f"{directory!r} cannot stand in keepalived.conf: use another path")
    yield "\n# `track_files` is set. Start the agent first: without the files a server stays in.\n"
    for service in services:
        for each in service.servers:
            for suffix, weight in (("weight", 1), ("fault", 0)):
                yield TRACK_FILE.format(
                    server=each.server.id,
                    suffix=suffix,
                    directory=directory,
                    weight=weight,
                ).lstrip("\n")


def _virtual_server(site: Site, service: VirtualService) -> Iterator[str]:
    yield f"\n# The cluster {service.cluster.name}.\n"
    if not service.is_known:
        yield "# SET THIS: the address that clients connect to (--virtual-address).\n"
    yield SERVICE.format(
        address=service.address,
        port=service.port,
        interval_seconds=whole_seconds(service.cluster.interval_seconds),
    ).lstrip("\n")
    if not site.settings.agent.track_files:
        yield RETRY
    for each in service.servers:
        yield "\n"
        yield from _lines(comments(_about(each), "    "))
        yield f"    real_server {each.address} {service.port} {{\n"
        yield _check(site, each.server)
        yield "    }\n"
    yield "}\n"


def _about(real: RealServer) -> Iterator[str]:
    if real.name:
        yield f"{real.name} had this address when this file was made."
    if real.server.role is Role.CONSUMER:
        yield f"{real.server.id} is a consumer: it refers writes to its provider."


def _check(site: Site, server: Server) -> str:
    limit_seconds = script_limit_seconds(site.clusters)
    return (FILE_CHECK if site.settings.agent.track_files else MISC_CHECK).format(
        server=server,
        scripts=_scripts(site),
        limit_seconds=limit_seconds,
        timeout_seconds=limit_seconds + LOG_AND_KILL_SECONDS,
    )
