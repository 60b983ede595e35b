"""Whatever FFmpeg reads from the network: HTTP streams, Icecast, HLS, RTSP."""
