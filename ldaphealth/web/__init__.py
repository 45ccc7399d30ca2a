"""What the agent tells over TCP: HTTP, and HAProxy's agent-check. It only reads what is known."""
