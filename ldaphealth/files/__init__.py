"""Files that are replaced atomically, and files that contain a secret."""
