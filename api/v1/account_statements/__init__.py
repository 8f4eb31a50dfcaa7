"""Account statements, and balances as of a moment."""
