"""The slapd.conf(5) of one node of a multi-provider cluster.

`demo/cluster.py` writes it; slapd converts it once to cn=config, which faults then change.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from demo.certificates import ServerCertificate
from demo.tree import ACCESS, CHECK_DN, ROOT_DN, SUFFIX

# Where Debian and Ubuntu put them.
SCHEMA = Path("/etc/ldap/schema")
MODULES = Path("/usr/lib/ldap")


@dataclass(frozen=True, slots=True)
class Link:
    """The link of a consumer to one provider; `nowhere` is a URL without a listener."""

    rid: int
    provider: str
    nowhere: str
    password: str

    def directive(self, *, cut: bool = False) -> str:
        """Return the value of syncrepl (slapd.conf(5)); a link that is cut leads nowhere.

        `timeout` is how long slapd waits for a provider that accepts the connection but does not
        answer. A change of cn=config waits for that thread, and all operations wait for the
        change: without a timeout a frozen peer freezes this node too. But a new link also waits
        that long for the first change (measured with 2.5.13), so a fault right after linking
        takes up to a second.
        """
        return (
            f"rid={self.rid:03} provider={self.nowhere if cut else self.provider} "
            'type=refreshAndPersist retry="1 +" timeout=1 network-timeout=2 keepalive=5:2:1 '
            f'searchbase="{SUFFIX}" bindmethod=simple '
            f'binddn="{ROOT_DN}" credentials="{self.password}"'
        )


@dataclass(frozen=True, slots=True)
class SlapdConf:
    """The slapd.conf of one node, with what differs between nodes and clusters."""

    server_id: int
    database: Path
    database_bytes: int
    password: str
    links: tuple[Link, ...]
    certificate: ServerCertificate | None
    multi_provider: bool = True

    def text(self) -> str:
        """Return the file.

        One rootdn has all rights in cn=config, the data and cn=Monitor. dbnosync: the data need
        not survive a crash of the machine. loglevel 0: by default operations go to syslog.
        """
        return "\n".join([*self._global(), *self._data(), *_monitor(), ""])

    def _global(self) -> list[str]:
        schemas = [f"include {SCHEMA}/{name}.schema" for name in SCHEMAS]
        modules = [f"moduleload {name}" for name in ("back_mdb", "back_monitor", *OVERLAYS)]
        certificate = self.certificate
        tls = (
            [
                f"TLSCACertificateFile {certificate.authority}",
                f"TLSCertificateFile {certificate.chain}",
                f"TLSCertificateKeyFile {certificate.key}",
            ]
            if certificate
            else []
        )
        return [
            *schemas,
            f"modulepath {MODULES}",
            *modules,
            *tls,
            f"serverID {self.server_id}",
            "loglevel 0",
            "database frontend",
            'access to dn.base="" by * read',
            'access to dn.base="cn=Subschema" by * read',
            "database config",
            f"rootdn {ROOT_DN}",
        ]

    def _data(self) -> list[str]:
        return [
            "database mdb",
            f"suffix {SUFFIX}",
            f"directory {self.database}",
            f"maxsize {self.database_bytes}",
            "dbnosync",
            f"rootdn {ROOT_DN}",
            f"rootpw {self.password}",
            "index objectClass,uid,entryUUID,entryCSN eq",
            f'limits dn.exact="{CHECK_DN}" size=unlimited',
            *(f"access {rule}" for rule in ACCESS),
            *(f"syncrepl {link.directive()}" for link in self.links),
            *(["multiprovider on"] if self.links and self.multi_provider else []),
            # Without a session log every reconnect would compare all entries (slapo-syncprov(5)).
            "overlay syncprov",
            "syncprov-sessionlog 10000",
        ]


SCHEMAS = ("core", "cosine", "inetorgperson")
OVERLAYS = ("syncprov", "back_sock")


def _monitor() -> list[str]:
    return [
        "database monitor",
        f"rootdn {ROOT_DN}",
        f'access to * by dn.exact="{CHECK_DN}" read by * none',
    ]
