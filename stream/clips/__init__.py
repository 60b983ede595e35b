"""Recordings of what was heard: to listen to, to correct, and to train with."""
