"""Loading of published notes into the star schema."""

from etl.notes.load import LoadReport, RejectLimit, load_notes

__all__ = ["LoadReport", "RejectLimit", "load_notes"]
