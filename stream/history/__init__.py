"""Recognised events, kept in a database: written by the daemon, read by `whoplays history`."""
