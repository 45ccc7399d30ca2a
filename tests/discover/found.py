"""Facts of servers for the tests of this folder, with short arguments."""

from __future__ import annotations

from ldaphealth.discover.root_dse import RootDse
from ldaphealth.discover.server_config import ConfiguredDatabase, ServerConfig
from ldaphealth.discover.server_facts import Context, ServerFacts
from ldaphealth.discover.server_monitor import MonitoredDatabase, MonitoredLink, ServerMonitor
from ldaphealth.discover.servers import FoundServer
from ldaphealth.discover.syncrepl import Syncrepl
from ldaphealth.model import Tls

BASE = "dc=example,dc=com"
CSN = "20260101000000.000000Z#000000#001#000000"
NO_CONFIG = ServerConfig(access="denied", refused_by="noSuchObject")
NO_MONITOR = ServerMonitor(access="denied", refused_by="noSuchObject")
DATABASE = "cn=database 1,cn=databases,cn=monitor"


def facts(  # noqa: PLR0913  what a server shows
    uri: str,
    *,
    address: str = "",
    config: ServerConfig = NO_CONFIG,
    monitor: ServerMonitor = NO_MONITOR,
    contexts: tuple[Context, ...] = (Context(dn=BASE, context_csn=(CSN,)),),
    tls: Tls | None = None,
) -> ServerFacts:
    return ServerFacts(
        uri=uri,
        tls=tls or Tls(),
        no_tls="",
        addresses=(address or uri.partition("://")[2],),
        root_dse=RootDse(naming_contexts=tuple(each.dn for each in contexts)),
        config=config,
        monitor=monitor,
        contexts=contexts,
    )


def config(*links: Syncrepl, is_multi_provider: bool | None = False) -> ServerConfig:
    database = ConfiguredDatabase(
        suffixes=(BASE,), links=links, is_multi_provider=is_multi_provider
    )
    return ServerConfig(access="read", databases=(database,))


def monitor(
    *providers: str, is_shadow: bool | None = None, update_ref: bool = False, polls: float = 0.0
) -> ServerMonitor:
    links = tuple(
        MonitoredLink(database=DATABASE, providers=(each,), poll_interval_seconds=polls)
        for each in providers
    )
    database = MonitoredDatabase(
        dn=DATABASE, suffixes=(BASE,), is_shadow=is_shadow, has_update_ref=update_ref
    )
    return ServerMonitor(access="read", databases=(database,), links=links)


def server(uri: str, **more: object) -> FoundServer:
    return FoundServer(facts=facts(uri, **more), evidence="given", uris=(uri,))  # type: ignore[arg-type]
