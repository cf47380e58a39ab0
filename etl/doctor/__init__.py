"""Looks a server, a database and this host over for what troubles cycles; changes nothing."""

from etl.doctor.checkup import CHECKS, THRESHOLDS, Checkup
from etl.doctor.finding import Finding, Severity, Verdict

__all__ = ["CHECKS", "THRESHOLDS", "Checkup", "Finding", "Severity", "Verdict"]
