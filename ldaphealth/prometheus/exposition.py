"""The response to a scrape or a probe, by the library alone: nothing is kept between responses."""

from __future__ import annotations

from ldaphealth.clocks import BootSeconds
from ldaphealth.live.health import AgentHealth
from ldaphealth.live.live_state import LiveView
from ldaphealth.prometheus.encoder import Form, Scrape, label, negotiated
from ldaphealth.prometheus.family import Labels, Probed
from ldaphealth.prometheus.parts import ScrapedServer
from ldaphealth.prometheus.table import AGENT, ALWAYS, ANSWER, PROBE, PROBED_SERVER, VERDICT


def exposition(
    view: LiveView, health: AgentHealth, now: BootSeconds, accept: str = ""
) -> tuple[bytes, str]:
    """Return the agent's metrics and their Content-Type; OpenMetrics if Accept requests it.

    `now` is in seconds since the boot (`clocks.boot_seconds`): stale verdicts are left out. An
    `accept` that is not valid selects the text format. `KeptExposition` returns the same for less.
    """
    shown = [
        (server_labels(server), ScrapedServer.of(known, is_valid=not known.is_stale(now)))
        for server, known in view.servers()
    ]
    scrape = Scrape()
    scrape.add(ALWAYS, shown)
    scrape.add(VERDICT, [(names, each) for names, each in shown if each.is_valid])
    scrape.add(AGENT, [((), health)])
    return _encoded(scrape, negotiated(accept))


def exposition_of_probe(view: LiveView, probed: Probed, accept: str = "") -> tuple[bytes, str]:
    """Return the metrics of one probe on demand, without counters over several probes."""
    known = [
        (server_labels(server), ScrapedServer.of(each, is_valid=True))
        for server, each in view.servers()
    ]
    scrape = Scrape()
    scrape.add(PROBE, [((), probed)])
    scrape.add(PROBED_SERVER, known)
    scrape.add(VERDICT, known)
    return _encoded(scrape, negotiated(accept))


def _encoded(scrape: Scrape, form: Form) -> tuple[bytes, str]:
    scrape.add(ANSWER, [((), scrape.left_out)])
    return form.encode(scrape), form.content_type


def server_labels(server: str) -> Labels:
    """Return the labels of a server by its ID."""
    cluster, _, name = server.partition("/")
    return label(cluster), label(name)
