"""Texts that people read in five situations, kept as files."""
