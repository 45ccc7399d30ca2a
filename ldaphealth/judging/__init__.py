"""From observations to findings: what was seen lately, ranges, and one judge for all."""
