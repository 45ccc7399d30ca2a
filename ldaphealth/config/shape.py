"""What the configuration file may hold: one Struct a mapping, one field a key.

fill.py reads a file into these, json_schema.py describes them to editors, and
docs/configuration.md is made from the descriptions.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from ldaphealth.check import Settle
from ldaphealth.model import BindMethod, Role

Name = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$",
        description="letters, digits, dot, dash, underscore, not dot or dash first",
    ),
]


def about(text: str) -> Meta:
    """Return the description of a key, for editors and the documentation."""
    return Meta(description=text)


class Credentials(Struct, frozen=True):
    """Who ldaphealth is to a server."""

    method: Annotated[
        BindMethod,
        about("`simple`: a DN and a password; `external`: SASL EXTERNAL; `anonymous`"),
    ] = BindMethod.SIMPLE
    dn: Annotated[str, about("the DN to bind as, with method `simple`")] = ""
    password_file: Annotated[
        str, about("a file that only its owner can read (chmod 0600); one line end is dropped")
    ] = ""
    password_env: Annotated[str, about("or an environment variable that holds the password")] = ""


class Tls(Struct, frozen=True):
    """How sessions are encrypted. Certificates and host names are verified by default."""

    start_tls: Annotated[bool, about("start TLS on `ldap://` before the bind")] = False
    ca_file: Annotated[str, about("authorities to trust, in PEM; empty: those of the system")] = ""
    certificate_file: Annotated[str, about("our own certificate, in PEM")] = ""
    key_file: Annotated[str, about("its key; empty: it is in `certificate_file`")] = ""
    verify: Annotated[bool, about("`false` trusts everybody on the network; for trials only")] = (
        True
    )


class Server(Struct, frozen=True):
    """One server; a plain text stands for its `uri`."""

    uri: Annotated[str, about("`ldap://HOST[:PORT]`, `ldaps://…` or `ldapi://%2Fpath`")]
    server_name: Annotated[
        str, about("the name that the certificate must carry; empty: the host of `uri`")
    ] = ""
    role: Annotated[
        Role, about("`provider` takes writes, `consumer` only copies and is never written to")
    ] = Role.PROVIDER
    weight: Annotated[
        int, Meta(ge=0, le=253, description="what keepalived gets when all is well, 0 to 253")
    ] = 100
    credentials: Annotated[
        str, about("a name under `credentials`; empty: those of the cluster")
    ] = ""
    tls: Annotated[Tls | None, about("in place of the cluster's `tls`, as a whole")] = None


class Cluster(Struct, frozen=True):
    """Servers that hold the same data, judged together."""

    servers: Annotated[
        dict[Name, str | Server], Meta(min_length=1, description="the servers by name")
    ]
    suffix: Annotated[str, about("the naming context that they hold")] = ""
    credentials: Annotated[str, about("a name under `credentials`; empty: anonymous")] = ""
    tls: Annotated[Tls, about("how sessions are encrypted")] = Tls()
    deadline_seconds: Annotated[
        float, Meta(gt=0, le=300, description="no server gets more time for everything together")
    ] = 5.0
    second_look_seconds: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        about(
            "the pause of the one-shot check between two reads, where it needs two; at most 0.6 of "
            "the deadline; default: 1, or less where the deadline is short"
        ),
    ] = None
    min_in_service: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        about("soft failures leave this many in service; default: half, rounded up"),
    ] = None
    interval_seconds: Annotated[
        float,
        Meta(ge=0.2, le=3600, description="the agent looks at every server once in this time"),
    ] = 5.0
    settle: Annotated[Settle, about("what it takes to believe a change; the agent's")] = Settle()
    checks: Annotated[dict[str, Any], about("settings by check; `off` leaves one out")] = {}


class Http(Struct, frozen=True):
    """Who may ask the agent by HTTP, and where (docs/http.md). It only tells, it takes no words."""

    listen: Annotated[str, about("`HOST:PORT`; not loopback: give it TLS and credentials, too")] = (
        "127.0.0.1:8389"
    )
    certificate_file: Annotated[
        str, about("the certificate and its chain, in PEM: turns TLS on; read again on a reload")
    ] = ""
    key_file: Annotated[str, about("its key; empty: it is in `certificate_file`")] = ""
    user: Annotated[str, about("who may ask, with the password in `password_file`")] = ""
    password_file: Annotated[
        str, about("a file that only its owner can read (chmod 0600); one line end is dropped")
    ] = ""
    token_file: Annotated[
        str, about("the same for a bearer token, in place of a user or beside one")
    ] = ""
    open_health: Annotated[
        bool,
        about("`/health` and `/ready` ask for no credentials: some balancers cannot send any"),
    ] = False


class Haproxy(Struct, frozen=True):
    """Where HAProxy's agent-check asks (docs/http.md)."""

    listen: Annotated[str, about("`HOST:PORT`; whoever reaches it may ask")] = "127.0.0.1:8390"


class Agent(Struct, frozen=True):
    """How `ldaphealth agent` runs on this machine."""

    runtime_directory: Annotated[
        str, about("where the verdicts and the socket are, empty after a boot")
    ] = "/run/ldaphealth"
    state_directory: Annotated[
        str, about("what must survive a restart: overrides, the last verdicts, the history")
    ] = "/var/lib/ldaphealth"
    socket_group: Annotated[
        str, about("the group that may ask and command the agent; empty: the agent's own")
    ] = ""
    threads: Annotated[
        int,
        Meta(
            ge=2,
            le=256,
            description="servers that are looked at side by side, at most; a quarter of them is "
            "for servers that hung, at least one",
        ),
    ] = 64
    track_files: Annotated[
        bool, about("write files for keepalived's FILE_CHECK, too (keepalived/README.md)")
    ] = False
    history_days: Annotated[
        int, Meta(ge=1, le=3650, description="for how long the history is kept on disk")
    ] = 60
    history_megabytes: Annotated[
        int, Meta(ge=4, le=65536, description="the largest size of the history on disk")
    ] = 256
    log_format: Annotated[Literal["logfmt", "json"], about("the form of the log lines")] = "logfmt"
    http: Annotated[Http | None, about("the HTTP server; left out: none, `{}`: on loopback")] = None
    haproxy: Annotated[
        Haproxy | None, about("answers for HAProxy's agent-check; left out: none")
    ] = None


class File(Struct, frozen=True):
    """The whole file."""

    clusters: Annotated[dict[Name, Cluster], Meta(min_length=1, description="the clusters by name")]
    credentials: Annotated[
        dict[Name, Credentials], about("who ldaphealth is, by a name of your choice")
    ] = {}
    agent: Annotated[Agent, about("how `ldaphealth agent` runs")] = Agent()
