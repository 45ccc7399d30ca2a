"""Files and directories: replaced atomically, read safely, owned by this user; secrets."""
