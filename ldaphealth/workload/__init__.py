"""The workload of clients: shapes of operations, learnt from logs, without the clients' values."""
