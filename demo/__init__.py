"""A demonstration on an OpenLDAP cluster: faults, and the verdicts of ldaphealth."""
