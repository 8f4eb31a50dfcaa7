"""Plans, and what they entitle organizations to."""
