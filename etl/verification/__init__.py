"""Which clean items have wrong results: by the job's own query, or recomputed one by one."""

from etl.verification.recompute import Verifier
from etl.verification.verdict import Verdict, by_query, mark

__all__ = ["Verdict", "Verifier", "by_query", "mark"]
