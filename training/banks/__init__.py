"""Windows to train on, prepared once: stems, rooms, equipment, true mixes, unlabelled music."""
