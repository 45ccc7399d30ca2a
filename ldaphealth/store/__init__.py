"""Files in which the agent keeps state over a restart."""
