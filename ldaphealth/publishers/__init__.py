"""Where the agent publishes its decisions: files for keepalived."""
