"""The command line: one file for each group of commands, loaded when the group is used."""

BAD_INPUT = 3  # exit status; 2 is CRITICAL for Nagios
MISSED_DEADLINE = 4  # exit status: the program ended itself without a result
