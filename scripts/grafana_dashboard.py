"""Write the Grafana dashboard to examples/; `make docs` runs it.

With --check it writes nothing and fails if the file is out of date.
"""

from __future__ import annotations

import sys
from pathlib import Path

from written_document import write_or_check

from ldaphealth.generate.grafana import dashboard_text

DOCUMENT = Path(__file__).parents[1] / "examples" / "grafana" / "ldaphealth.json"

if __name__ == "__main__":
    sys.exit(write_or_check(DOCUMENT, dashboard_text()))
