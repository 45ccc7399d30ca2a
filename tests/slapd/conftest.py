"""A small configuration file for the commands that are run beside the cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.cluster import Cluster
from demo.tree import CHECK_DN, SUFFIX


@pytest.fixture
def config(cluster: Cluster, tmp_path: Path) -> Path:
    """Return a configuration file with all nodes and the defaults of the checks."""
    path = tmp_path / "ldaphealth.yaml"
    servers = ", ".join(f"{node.name}: '{node.uri}'" for node in cluster.nodes)
    password_file = cluster.accounts.check.password_file
    path.write_text(
        f"credentials: {{probe: {{dn: '{CHECK_DN}', password_file: {password_file}}}}}\n"
        f"clusters:\n  c:\n    suffix: {SUFFIX}\n    credentials: probe\n"
        f"    deadline_seconds: 2\n    servers: {{{servers}}}\n"
    )
    return path
