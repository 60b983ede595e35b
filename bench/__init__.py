"""Measurements on this machine: latency, throughput, endurance, and how well events are detected."""
