"""Tests of the rights of checks, and of the rules that give them."""
