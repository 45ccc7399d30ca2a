"""A story for newcomers: a real cluster, real faults, and what ldaphealth says of them."""
