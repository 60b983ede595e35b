"""Sound devices as sources: which there are, by stable name, and what they hear, as long as it really lasted."""
