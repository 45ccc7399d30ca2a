"""Questions to a running agent and words of an operator, through a Unix socket."""
