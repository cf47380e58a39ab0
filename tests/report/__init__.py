"""The page of `etl report`: its numbers, its pictures, and what a browser makes of it."""
