"""The rights that an account needs for the configured checks, and the access rules that give them.

`rights` in needs.py has them by check, `slapd.py` and `aci.py` write rules for them. Pure.
"""
