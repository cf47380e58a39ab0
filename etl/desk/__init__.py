"""The operator's desk: what is stale, what a cycle would do, how it goes, how it went."""
