"""PCM over ZeroMQ: a stage box feeds a central machine."""
