"""What happened in a period, for a ticket: one document of the history, and Markdown made of it."""
