"""Files for other programs, made of the configuration: settings in, text out.

`kinds.py` has the table of the kinds, one module each has the text; cli/generate.py prints it.
"""
