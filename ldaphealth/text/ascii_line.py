"""One line of text for programs of which neither the locale nor the character set is known.

The sinks for keepalived and Nagios call it on every line; people get `printable` text instead.
"""

from __future__ import annotations

from ldaphealth.text.printable import ELLIPSIS, printable


def ascii_line(text: str, limit: int = 200) -> str:
    r"""Return one printable ASCII line of at most `limit` characters, which is also its bytes.

    Other characters become escapes such as `\xfc`: standard output in an ISO 8859 locale would
    refuse them, and a traceback exits with 1, which is what keepalived takes for a dead server.
    """
    short = printable(text, limit).replace(ELLIPSIS, "...")
    plain = short.encode("ascii", "backslashreplace").decode("ascii")
    return plain if len(plain) <= limit else plain[: max(0, limit - 3)] + "..."[:limit]
