"""Windows to train on, prepared once and kept in shards: single instruments, mixtures, rooms, channels."""
