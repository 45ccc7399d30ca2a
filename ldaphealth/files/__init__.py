"""Files that are seen whole or not at all, and files that hold a secret."""
