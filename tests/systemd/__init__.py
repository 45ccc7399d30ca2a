"""The unit of examples/, run by a real systemd."""
