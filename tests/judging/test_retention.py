"""What is kept of each check stands in its row."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ldaphealth.checks import BUILT_IN


def test_a_check_with_two_ways_to_keep_older_reads_is_refused() -> None:
    with pytest.raises(TypeError, match="has merged and covers"):
        replace(BUILT_IN["replication"], merged=lambda _, later: later)
