"""Streams: a real broker, real workers, a real server."""
