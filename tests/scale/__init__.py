"""The schema distributed by user: what any PostgreSQL can show, and what takes Citus."""
