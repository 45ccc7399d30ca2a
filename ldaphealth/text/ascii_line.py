"""A line of ASCII text for programs whose locale and character set are not known.

The sinks for keepalived, Nagios and checkmk call it. Output for people uses `printable`.
"""

from __future__ import annotations

from ldaphealth.text.printable import ELLIPSIS, printable


def ascii_line(text: str, limit: int = 200) -> str:
    r"""Return one printable ASCII line of at most `limit` characters, which is also its bytes.

    Other characters are escaped, such as `\xfc`: writing them can fail in an ISO 8859 locale. The
    exception would end the program with status 1, which keepalived takes for a dead server.
    """
    short = printable(text, limit).replace(ELLIPSIS, "...")
    plain = short.encode("ascii", "backslashreplace").decode("ascii")
    return plain if len(plain) <= limit else plain[: max(0, limit - 3)] + "..."[:limit]
