"""The mappings of the configuration file, where they differ from the settings: one Struct each.

fill.py reads a file into these Structs. The JSON Schema and docs/configuration.md are generated
from them. Keys that the settings have as well are inherited from model.py and settings.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar

from msgspec import Meta, Struct, field

from ldaphealth.ldap.names import DN, check_bind_name, parse_dn
from ldaphealth.model import (
    BindMethod,
    CheckEffect,
    Method,
    PasswordSource,
    ServerSettings,
    SettingMistakes,
    Tls,
)
from ldaphealth.settings import AgentSettings, ClusterSettings

Name = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$",
        description="letters, digits, dot, dash, underscore; not dot or dash first",
    ),
]


def about(text: str) -> Meta:
    """Return the description of a key, for editors and the documentation."""
    return Meta(description=text)


def wrong_name(check: Callable[[str], object], name: str) -> str:
    """Return what is wrong with a name, "" if the check accepts it."""
    try:
        check(name)
    except ValueError as error:
        return str(error)
    return ""


class CredentialsEntry(PasswordSource, frozen=True):
    """How ldaphealth authenticates to a server."""

    method: Method = BindMethod.SIMPLE

    def find_mistakes(self) -> SettingMistakes:
        """Yield each wrong key with what is wrong, "" for the mapping as a whole."""
        if self.method is not BindMethod.SIMPLE:
            if self.dn or self.password_file or self.password_env:
                yield "", f"method {self.method} takes no dn and no password"
            return
        if what := wrong_name(check_bind_name, self.dn) if self.dn else "":
            yield "dn", what
        if bool(self.password_file) == bool(self.password_env):
            yield "", "needs one of password_file and password_env"


class CheckEntry(Struct, frozen=True, kw_only=True):
    """The settings that any check may have, beside those of its kind."""

    check: Annotated[str, about("the kind of the check, if that is not its name")] = ""
    effect: Annotated[CheckEffect, about("what it may do to the verdict")] = CheckEffect.WATCH
    every: Annotated[
        int,
        Meta(
            ge=1,
            le=1000,
            description="the agent runs it in every n-th round of a server, and in each round "
            "while its result is not OK, or may bring the server back",
        ),
    ] = 1
    only: Annotated[
        tuple[str, ...], Meta(min_length=1, description="it is run on these servers only")
    ] = ()
    except_: Annotated[
        tuple[str, ...], Meta(min_length=1, description="it is run on all servers but these")
    ] = field(name="except", default=())
    credentials: Annotated[
        str,
        about(
            "a name under `credentials`: it runs on a second session with this account; empty: on "
            "that of the server. For `login`, which needs it, the password of the user: without "
            "`dn`, or with that of the user"
        ),
    ] = ""


class ServerEntry(ServerSettings, frozen=True, kw_only=True):
    """One server. A text instead of a mapping is its `uri`."""

    credentials: Annotated[
        str, about("a name under `credentials`; empty: those of the cluster")
    ] = ""
    tls: Annotated[Tls | None, about("replaces the whole `tls` of the cluster")] = None
    pipeline: Annotated[bool | None, about("in place of `pipeline` of the cluster")] = None
    checks: Annotated[
        dict[str, Any],
        about("settings by check for this server, each in place of that of the cluster"),
    ] = field(default_factory=dict)

    def find_mistakes(self) -> SettingMistakes:
        """Yield each wrong key with what is wrong, "" for the mapping as a whole."""
        for number, base in enumerate(self.bases, 1):
            if what := wrong_name(parse_dn, base):
                yield f"bases.{number}", what


# What a shadow cannot have: it judges the probes of its cluster.
PROBES = "is no setting of a shadow, which judges what the probes of the cluster saw"


class ShadowEntry(Struct, frozen=True, kw_only=True):
    """Other settings that judge the same probes beside those of the cluster, and decide nothing."""

    refused_keys: ClassVar[Mapping[str, str]] = dict.fromkeys(
        (
            "servers",
            "suffix",
            "credentials",
            "tls",
            "pipeline",
            "deadline_seconds",
            "interval_seconds",
            "second_look_seconds",
        ),
        PROBES,
    )

    checks: Annotated[
        dict[str, Any],
        about("settings by the name of a check, each in place of that of the cluster"),
    ] = field(default_factory=dict)
    settle: Annotated[
        dict[str, Any], about("settings of `settle`, each in place of that of the cluster")
    ] = field(default_factory=dict)
    min_in_service: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        about("soft failures leave this many servers in service; default: that of the cluster"),
    ] = None


class ClusterEntry(ClusterSettings, frozen=True, kw_only=True):
    """Servers that hold the same data, judged together."""

    servers: Annotated[
        dict[Name, str | ServerEntry], Meta(min_length=1, description="the servers by name")
    ]
    suffix: Annotated[DN, about("the naming context of the servers")] = DN("")
    credentials: Annotated[str, about("a name under `credentials`; empty: anonymous")] = ""
    tls: Annotated[Tls, about("encryption of the sessions")] = Tls()
    pipeline: Annotated[
        bool,
        about(
            "requests of a session that do not depend on each other are sent together, which saves "
            "time and CPU; `false`: each after the answer to the one before, for a server or "
            "balancer that cannot take several (RFC 4511 permits them)"
        ),
    ] = True
    second_look_seconds: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        about(
            "the pause of the one-shot check before a second look; at most 0.6 of the deadline; "
            "default: 1, or less if the deadline is short"
        ),
    ] = None
    min_in_service: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        about("soft failures leave this many servers in service; default: half, rounded up"),
    ] = None
    checks: Annotated[
        dict[str, Any], about("settings by the name of a check; `off` disables a check")
    ] = field(default_factory=dict)
    shadow: Annotated[
        ShadowEntry | None,
        about("other settings on trial, which are judged live and decide nothing"),
    ] = None


class File(Struct, frozen=True):
    """The whole file."""

    clusters: Annotated[
        dict[Name, ClusterEntry], Meta(min_length=1, description="the clusters by name")
    ]
    credentials: Annotated[
        dict[Name, CredentialsEntry], about("the accounts of ldaphealth, by a name of your choice")
    ] = {}
    agent: Annotated[AgentSettings, about("how `ldaphealth agent` runs")] = field(
        default_factory=AgentSettings
    )
