"""The command line: one file per group of commands; a group loads only when it is used."""
