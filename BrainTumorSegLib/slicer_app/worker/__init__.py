"""The child process that computes."""
