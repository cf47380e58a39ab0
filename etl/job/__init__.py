"""A job: the folder of SQL that says how items are listed and processed.

Nothing here knows any job. A folder that is broken is one error that names file and line;
it is found when the job is used, so that the other jobs still run.
"""

from etl.job.folder import command_name, job_paths, load
from etl.job.job import Job

__all__ = ["Job", "command_name", "job_paths", "load"]
