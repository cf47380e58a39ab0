"""What a monitoring system asks of the ledger: counters, gauges and a histogram, by job.

``reading`` asks the database, ``families`` puts the answers into the words of Prometheus,
``textfile`` and ``server`` hand them out.
"""
