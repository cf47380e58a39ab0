"""The job cache_warm."""
