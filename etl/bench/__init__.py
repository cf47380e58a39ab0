"""Measures a job on a user's own database, and leaves nothing behind.

Statements run in transactions that are rolled back, the queue is a scratch folder, and the
ledger is only read. See docs/bench.md for what a rolled back run does not show.
"""
