"""Prometheus: the response to a scrape, and the table of all metrics."""

from ldaphealth.prometheus.exposition import exposition, exposition_of_probe
from ldaphealth.prometheus.family import Family, MetricType, Probed
from ldaphealth.prometheus.kept_exposition import KeptExposition
from ldaphealth.prometheus.table import METRICS

__all__ = [
    "METRICS",
    "Family",
    "KeptExposition",
    "MetricType",
    "Probed",
    "exposition",
    "exposition_of_probe",
]
