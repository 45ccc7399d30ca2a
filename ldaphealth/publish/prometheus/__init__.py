"""Prometheus: what a scrape is answered with, and the table of all metrics."""

from ldaphealth.publish.prometheus.exposition import exposition, exposition_of_probe
from ldaphealth.publish.prometheus.family import Family, Kind, Probed
from ldaphealth.publish.prometheus.table import METRICS

__all__ = ["METRICS", "Family", "Kind", "Probed", "exposition", "exposition_of_probe"]
