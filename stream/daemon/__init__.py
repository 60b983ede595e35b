"""The daemon: many streams by a configuration file, days on end."""
