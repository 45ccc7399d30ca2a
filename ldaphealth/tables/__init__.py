"""The tables that the commands print on a terminal."""
