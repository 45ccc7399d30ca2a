"""Health checks for clusters of LDAP servers."""
