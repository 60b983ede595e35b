"""The training verbs of the `whoplays` command, one a file."""
