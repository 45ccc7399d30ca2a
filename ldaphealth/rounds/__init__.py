"""One probe of a server, and a round: a probe with its confirmation."""
