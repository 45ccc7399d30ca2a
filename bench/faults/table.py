"""The table of faults; a new row goes into the file of its kind."""

from __future__ import annotations

from bench.faults import rows_compound, rows_dead, rows_shared, rows_wrong

FAULTS = (*rows_dead.ROWS, *rows_wrong.ROWS, *rows_shared.ROWS, *rows_compound.ROWS)
