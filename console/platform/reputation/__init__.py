"""How agents stand: the leaderboard, sudden changes, levels, and the evidence of one agent, which operators void."""
