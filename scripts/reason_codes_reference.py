"""Write the table of reason codes in docs/verdicts.md; `make docs` runs it.

With --check it writes nothing and fails if the document is out of date.
"""

from __future__ import annotations

import sys
from pathlib import Path

from written_document import below_mark, write_or_check

from ldaphealth.reason_codes import REASON_CODES, RESULT_CODE, ReasonCode

DOCUMENT = Path(__file__).parents[1] / "docs" / "verdicts.md"


def reference() -> str:
    """Return the table as Markdown."""
    lines = [
        "| code | of checks | state | removes | means | what to do |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *map(_line, REASON_CODES), _line(RESULT_CODE), ""])


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
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(write_or_check(DOCUMENT, below_mark(DOCUMENT, reference())))
