"""What an organization would have saved in a month, from what happened and the prices that stand."""
