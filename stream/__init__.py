"""Hear, window, infer, decide, publish: streams from their sources to their subscribers, without torch."""
