"""Hear, window, infer, decide, publish: one stream from its source to its subscribers, without torch."""
