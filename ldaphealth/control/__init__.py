"""Requests to a running agent through a Unix socket: status, explanations, history, overrides."""
