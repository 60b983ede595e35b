"""RTP with linear PCM (RFC 3550, RFC 3551, RFC 3190) as a source."""
