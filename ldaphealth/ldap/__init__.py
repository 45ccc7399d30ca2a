"""One LDAP session under one deadline: endpoint, transport, codec. The only package with ldap3."""
