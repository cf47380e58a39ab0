"""A service: messages of a queue are a job's items, stored by the workers of a cycle.

::

    broker --> link --> service --> crew --> workers --> PostgreSQL
      ^                    |                    |
      +--- acknowledge ----+<-- done, after COMMIT

The main process has one thread for both sides and never waits: not for the broker, not for a
worker. What has to wait for the database there, the clerk does in a thread of its own.
"""
