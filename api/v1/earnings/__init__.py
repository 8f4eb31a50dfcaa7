"""What agents have earned in credits."""
