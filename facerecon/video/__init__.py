"""Videos: read and written in a stream, faces followed from frame to frame, motion without jitter."""
