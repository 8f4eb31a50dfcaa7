"""What actions cost in credits."""
