"""Looks a server, a database and this host over for what troubles cycles; changes nothing."""

from etl.doctor.checkup import CHECKS, Checkup
from etl.doctor.finding import Finding, Severity

__all__ = ["CHECKS", "Checkup", "Finding", "Severity"]
