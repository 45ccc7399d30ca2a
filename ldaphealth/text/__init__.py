"""Formatting of text and numbers for people and programs."""
