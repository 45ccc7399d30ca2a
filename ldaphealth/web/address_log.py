"""Lines in the log about client addresses, bounded however many clients and tries there are."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from time import monotonic

from ldaphealth.clocks import MonotonicSeconds

log = logging.getLogger(__name__)

LINE_SECONDS = 60.0  # between two lines about one address
MOST_LINES = 10  # in LINE_SECONDS, about all addresses
MOST_ADDRESSES = 1024
IPV6_NETWORK_BITS = 64  # a client may have all addresses of it (RFC 6177)


class AddressLog:
    """One message. A line has the address, and how often it occurred since the line before."""

    def __init__(self, message: str, now: Callable[[], MonotonicSeconds] = monotonic) -> None:
        self._message, self._now = message, now
        self._counts: OrderedDict[str, int] = OrderedDict()
        self._logged_at: OrderedDict[str, MonotonicSeconds] = OrderedDict()

    def warn(self, host: str) -> None:
        """Count it for the address, and log a line if there was none within the last minute."""
        network, now = network_of(host), self._now()
        count = self._counts.pop(network, 0) + 1
        self._counts[network] = count
        if len(self._counts) > MOST_ADDRESSES:
            self._counts.popitem(last=False)
        while self._logged_at and now - next(iter(self._logged_at.values())) >= LINE_SECONDS:
            self._logged_at.popitem(last=False)  # the oldest
        if network in self._logged_at or len(self._logged_at) >= MOST_LINES:
            return
        self._logged_at[network] = now
        del self._counts[network]
        log.warning(self._message, extra={"address": host, "count": count})


def network_of(host: str) -> str:
    """Return the address of an IPv4 client, and the network of an IPv6 client."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:  # no TCP address, as in tests without a socket
        return host
    if address.version == 4:  # noqa: PLR2004
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((address, IPV6_NETWORK_BITS), strict=False))
