"""Why a job's listing and its item's statement cost what they cost, and what would help.

Each statement is run with its real parameters by EXPLAIN (ANALYZE, BUFFERS) and rolled back.
A rule names something only where it was measured: rows that were read and thrown away, blocks
that went to disk, statistics that the plan shows to be wrong.
"""
