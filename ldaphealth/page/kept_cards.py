"""The cards of servers with their plots and HTML, of which those of the last page are kept.

So a server is rendered when what it shows changes, and not for each reader.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ldaphealth.clocks import BootSeconds
from ldaphealth.live.live_server import LiveServer
from ldaphealth.live.recent_times import LastHour
from ldaphealth.page.document import macro
from ldaphealth.page.plot import Plot, plots
from ldaphealth.page.server_card import Card, CardOverride, card

Hours = Mapping[str, LastHour]


class KeptCards:
    """What the last page showed of its servers, by their IDs.

    Any thread may use it: what is kept is replaced, and never changed.
    """

    def __init__(self) -> None:
        self._cards: Mapping[str, tuple[LiveServer, Card]] = {}
        self._plots: Mapping[str, tuple[Hours, int, tuple[Plot, ...]]] = {}
        self._html: Mapping[str, tuple[Card, str]] = {}

    def cards(
        self,
        servers: Mapping[str, LiveServer],
        now: BootSeconds,
        overrides: Mapping[str, CardOverride],
    ) -> Mapping[str, Card]:
        """Return the cards of all servers, without plots."""
        found, lasting, before = {}, {}, self._cards
        for server, known in servers.items():
            override = overrides.get(server)
            if override is not None or known.is_stale(now):  # it says how long that lasts
                found[server] = card(known, now, override)
                continue
            kept = before.get(server)
            if kept is None or kept[0] is not known:
                kept = (known, card(known, now))
            lasting[server], found[server] = kept, kept[1]
        self._cards = lasting
        return found

    def plots(
        self, servers: Mapping[str, LiveServer], plotted: Collection[str], newest_minute: int
    ) -> Mapping[str, tuple[Plot, ...]]:
        """Return the plots of these servers in the hour that ends with that minute."""
        found, before = {}, self._plots
        for server in plotted:
            hours, kept = servers[server].hours, before.get(server)
            if kept is None or kept[0] is not hours or kept[1] != newest_minute:
                kept = (hours, newest_minute, plots(hours, newest_minute))
            found[server] = kept
        self._plots = found
        return {server: each for server, (_, _, each) in found.items()}

    def html(self, cards: Mapping[str, Card]) -> Mapping[str, str]:
        """Return the HTML of the cards of all servers."""
        found, before = {}, self._html
        for server, shown in cards.items():
            kept = before.get(server)
            if kept is None or kept[0] != shown:
                kept = (shown, macro("server.html", "server")(shown))
            found[server] = kept
        self._html = found
        return {server: html for server, (_, html) in found.items()}
