"""Recordings: where they are, what is said of them, and which may be heard."""
