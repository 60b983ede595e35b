"""Whatever FFmpeg reads: HTTP streams, Icecast, HLS, RTSP, and files in containers."""
