"""What survives a restart of the agent."""
