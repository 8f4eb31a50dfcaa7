"""What may be spent, and spending it: lots, spends, limits and departments."""
