"""The page at `/` for people on call."""
