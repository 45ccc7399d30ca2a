"""Copy the examples that `ldaphealth generate` is made of into the package; `make docs` runs it.

The wheel has the package and not examples/. With --check it writes nothing and fails if a copy is
out of date.
"""

from __future__ import annotations

import sys
from pathlib import Path

from written_document import write_or_check

ROOT = Path(__file__).parents[1]
TEMPLATES = ROOT / "ldaphealth" / "generate" / "templates"
EXAMPLES = ("examples/ldaphealth-agent.service", "examples/prometheus/ldaphealth.rules.yml")


def copy(example: str) -> int:
    """Write one copy; with --check only compare. Return the exit status."""
    source = ROOT / example
    return write_or_check(TEMPLATES / source.name, source.read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(max(map(copy, EXAMPLES)))
