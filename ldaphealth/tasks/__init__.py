"""What commands do without the agent: one shot, watching CSNs, comparing contents, canaries."""
