"""`ldaphealth doctor`: try all of a configuration once, and say what is wrong and what mends it.

`gathering.py` collects facts, `examinations.py` has the table of what is examined in them. Each
examination is a pure function from facts to problems.
"""
