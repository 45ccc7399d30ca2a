"""What one server says of a whole cluster, and a configuration made of it.

`ldaphealth discover` runs it. Each file has one part: what a server says of itself (`root_dse.py`,
`server_config.py`, `server_monitor.py`, `server_facts.py`), the servers that it names
(`syncrepl.py`, `srv.py`, `servers.py`), their roles (`roles.py`), the times that are normal
(`measured_times.py`), which checks work (`trial.py`), and the text (`draft.py`,
`configuration_text.py`). It sends binds, searches and unbinds, and never a write.
"""
