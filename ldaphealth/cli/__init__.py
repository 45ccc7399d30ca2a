"""The command line: one file per group of commands; a group loads only when it is used."""

BAD_INPUT = 3  # exit status; 2 would be CRITICAL to Nagios
