"""Health checks for clusters of LDAP servers."""

__version__ = "0.1.0"  # as in pyproject.toml; importlib.metadata takes 3 MiB and 10 ms
