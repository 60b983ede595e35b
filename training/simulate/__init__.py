"""Simulated concerts, of which it is known who plays when."""
