"""Write the reason codes: the table in docs/verdicts.md, and the sections of troubleshooting.md.

`make docs` runs it. With --check it writes nothing and fails if a document is out of date.
"""

from __future__ import annotations

import sys
from pathlib import Path

from written_document import below_mark, write_or_check

from ldaphealth.reason_codes import REASON_CODES, RESULT_CODE, ReasonCode

DOCS = Path(__file__).parents[1] / "docs"
VERDICTS = DOCS / "verdicts.md"
TROUBLESHOOTING = DOCS / "troubleshooting.md"
ANY_RESULT = "Any other result code"
REMOVES = {
    "hard": "yes, it gives no LDAP service",
    "soft": "yes, as far as other servers remain",
    "expectation": "yes, unless most servers share it",
    "no": "no, it is only reported",
}


def table() -> str:
    """Return all codes as one table in Markdown."""
    lines = [
        "| code | of checks | state | removes | means | what to do |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *map(_line, REASON_CODES), _line(RESULT_CODE), ""])


def sections() -> str:
    """Return a section for each code, in the order of the alphabet; the heading is its anchor."""
    rows = sorted(REASON_CODES, key=lambda row: row.code.lower())
    last = _section(ANY_RESULT, RESULT_CODE)
    return "\n".join([*(_section(row.code, row) for row in rows), last])


def _line(reason: ReasonCode) -> str:
    code = f"`{reason.code}`" if reason is not RESULT_CODE else reason.code
    cells = (
        code,
        ", ".join(reason.checks) or "all",
        ", ".join(each.name for each in reason.states),
        reason.removes,
        reason.means,
        reason.remedy,
    )
    escaped = [each.replace("|", "\\|") for each in cells]
    return f"| {' | '.join(escaped)} |"


def _section(heading: str, reason: ReasonCode) -> str:
    whole = ", ".join(f"`{check}.{reason.code}`" for check in reason.checks)
    states = " or ".join(each.name for each in reason.states)
    removes = "; or ".join(REMOVES[each] for each in reason.removes.split(", "))
    return "\n".join(
        [
            f"## {heading}",
            "",
            f"{whole or 'Of any check'}: {states}. Removes the server: {removes}.",
            "",
            f"- **Means:** {reason.means}.",
            f"- **What to do:** {reason.remedy}.",
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(
        max(
            write_or_check(VERDICTS, below_mark(VERDICTS, table())),
            write_or_check(TROUBLESHOOTING, below_mark(TROUBLESHOOTING, sections())),
        )
    )
