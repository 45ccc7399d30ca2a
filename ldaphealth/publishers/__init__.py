"""The interface of publishers, and the publishers that write files for keepalived."""
