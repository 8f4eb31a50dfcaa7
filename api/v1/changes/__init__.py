"""What has changed since somebody last looked, now and as a stream."""
