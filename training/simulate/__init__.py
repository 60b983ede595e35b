"""Simulated concerts, with annotations of which instruments play when."""
