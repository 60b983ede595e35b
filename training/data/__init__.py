"""Recordings: where they are, what is said of them, how they are split, and their decoded audio."""
