"""Keeps per-item results in PostgreSQL fresh, driven by plain SQL files."""

__version__ = "0.1.0"
