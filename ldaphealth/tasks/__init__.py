"""The work of commands without the agent: one shot, CSN watch, content diff, canaries."""
