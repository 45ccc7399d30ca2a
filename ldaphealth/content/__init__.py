"""The comparison of the entries of servers, which may differ although contextCSNs are equal.

The tree is compared slice by slice; a slice is a range of entryUUIDs. `slices.py` and
`difference.py` are pure. `reader.py` reads one server, `comparison.py` compares a slice on all of
them, and `progress.py` is the state from which a comparison continues.
"""
