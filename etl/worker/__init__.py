"""A worker: one process with one connection that processes one item after the other."""
