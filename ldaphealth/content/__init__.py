"""What equal contextCSNs hide: entries that differ between the servers of a cluster.

The tree is compared slice by slice, where a slice is a range of entryUUIDs. `slices.py` and
`difference.py` are pure, `reader.py` asks one server, `comparison.py` does one slice on all of
them, `progress.py` is what must be known to go on from there.
"""
