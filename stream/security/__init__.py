"""Who may connect: CURVE keys, the folder of allowed clients, and what becomes of handshakes."""
