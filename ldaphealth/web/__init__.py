"""The TCP servers of the agent: HTTP, and HAProxy's agent-check. They read the live state only."""
