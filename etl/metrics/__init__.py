"""What a monitoring system asks of the ledger: counters, gauges and a histogram, by job.

``reading`` asks the database and tells the answers in the words of Prometheus, which are those of
``families``; ``textfile`` and ``server`` hand them out.
"""
