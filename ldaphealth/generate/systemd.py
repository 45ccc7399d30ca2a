"""The unit of the agent: that of examples/, with the paths of the configuration (docs/agent.md).

That of shards is the same as a template, whose instances are `2-4` for shard 2/4: systemd unescapes
the name (%I of systemd.unit(5)).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path

from ldaphealth.generate.site import Site, heading
from ldaphealth.settings import AgentSettings

HEADING = """\
ldaphealth-agent.service, in /etc/systemd/system; docs/agent.md has the installation.
Test it: systemd-analyze verify FILE. Then: systemctl enable --now ldaphealth-agent"""
HEADING_OF_SHARDS = """\
ldaphealth-shard@.service, in /etc/systemd/system: one of {0} agents that divide the clusters.
Test it: systemd-analyze verify FILE. Then: systemctl disable --now ldaphealth-agent
and: systemctl enable --now ldaphealth-shard@{{1..{0}}}-{0} (docs/how-to/shards.md)"""
DESCRIPTION = "Description=Health checks for LDAP servers"
FIRST_FREE_PORT = 1024  # below it only processes with a capability may listen (ip(7))
HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108  they are not used
# How quotes and backslashes are read depends on the setting.
UNFIT_IN_WORD, UNFIT_IN_DIRECTORY = "\"'\\", "\"'\\:"
EXAMPLE_CREDENTIAL = "#LoadCredential=etc-ldaphealth-password:/etc/ldaphealth/password"


def systemd(site: Site) -> str:
    """Return the unit. ValueError: a path has a character that a unit cannot contain."""
    replaced = _replaced(site)
    lines = files(__package__).joinpath("templates", "ldaphealth-agent.service").read_text("utf-8")
    body = [new for line in lines.splitlines() for new in replaced.get(line, [line])]
    words, kind = HEADING, "systemd"
    if site.shards:
        words, kind = HEADING_OF_SHARDS.format(site.shards), f"systemd --shards {site.shards}"
    return "\n".join([*heading(site, kind, words), "", *body]) + "\n"


def _replaced(site: Site) -> Mapping[str, list[str]]:
    """Return the lines of the example that depend on the configuration, each with those for it."""
    agent = site.settings.agent
    # In a command a dollar sign begins a variable (systemd.service(5)).
    program, config = (_word(each).replace("$", "$$") for each in (site.program, site.config_file))
    listens = [each.listen for each in (agent.http, agent.haproxy) if each]
    needs_port = any(each.port < FIRST_FREE_PORT for each in listens)
    bind = "CAP_NET_BIND_SERVICE"
    shard, described = (" --shard %I", ", shard %I") if site.shards else ("", "")
    return {
        DESCRIPTION: [DESCRIPTION + described],
        "ExecStart=/opt/ldaphealth/bin/ldaphealth agent --config /etc/ldaphealth/ldaphealth.yaml": [
            *_hidden(site),
            f"ExecStart={program} agent --config {config}{shard}",
        ],
        "RuntimeDirectory=ldaphealth": _directory("Runtime", agent.runtime_directory, Path("/run")),
        "StateDirectory=ldaphealth": _directory("State", agent.state_directory, Path("/var/lib")),
        "Group=ldaphealth": ["Group=ldaphealth", *_groups(agent)],
        EXAMPLE_CREDENTIAL: [*_credentials(site)],
        "CapabilityBoundingSet=": [f"CapabilityBoundingSet={bind}", f"AmbientCapabilities={bind}"]
        if needs_port
        else ["CapabilityBoundingSet="],
    }


def _directory(kind: str, path: Path, parent: Path) -> list[str]:
    """Return the lines for a directory: systemd makes it below `parent`; others must exist."""
    if path.is_relative_to(parent) and path != parent:
        return [f"{kind}Directory={_word(path.relative_to(parent), UNFIT_IN_DIRECTORY)}"]
    return [f"# Make it first, for the user ldaphealth: {path}", f"ReadWritePaths={_word(path)}"]


def _hidden(site: Site) -> Iterator[str]:
    """Yield a warning for each path that ProtectHome= or PrivateTmp= hides from the agent."""
    for each in (site.program, site.config_file):
        if any(each.is_relative_to(hidden) for hidden in HIDDEN):
            yield f"# SET THIS: the unit hides {_raw(each)} from the agent; put it elsewhere."


def _groups(agent: AgentSettings) -> Iterator[str]:
    """Yield the group of the socket: the agent must be its member to give the socket to it."""
    if agent.socket_group not in ("", "ldaphealth"):
        yield "# Of `socket_group`: its members may query and control the agent."
        yield f"SupplementaryGroups={agent.socket_group}"


def _credentials(site: Site) -> Iterator[str]:
    """Yield a line for each file with a password or a key, to be used if only root can read it."""
    found = secret_files(site)
    if not found:
        yield EXAMPLE_CREDENTIAL
    for each in found:
        name = "-".join(Path(each).parts[1:])
        yield f"#LoadCredential={_raw(name)}:{_raw(each)}"


def secret_files(site: Site) -> list[str]:
    """Return the absolute paths of files with passwords and keys, each once, in order."""
    http = site.settings.agent.http
    servers = [each for cluster in site.settings.clusters.values() for each in cluster.servers]
    checks = [each for cluster in site.settings.clusters.values() for each in cluster.checks]
    found = [
        *(each.credentials.password_file for each in servers),
        *(each.credentials.password_file for each in checks if each.credentials),
        *(each.tls.key_file or each.tls.certificate_file for each in servers),
    ]
    if http:
        found += [http.password_file, http.token_file, http.web_config_file]
        found += [http.key_file or http.certificate_file]
    return [each for each in dict.fromkeys(found) if each.startswith("/")]


def _raw(text: object, unfit: str = "") -> str:
    """Return a value without specifiers (systemd.unit(5)); ValueError for an unfit character."""
    if not str(text).isprintable() or set(str(text)) & set(unfit):
        raise ValueError(f"{str(text)!r} cannot stand in a unit of systemd: use another path")
    return str(text).replace("%", "%%")


def _word(path: Path, unfit: str = UNFIT_IN_WORD) -> str:
    """Return one word of a list or a command, quoted if it must be (systemd.syntax(7))."""
    raw = _raw(path, unfit)
    return f'"{raw}"' if set(raw) & set(" ;$") else raw
