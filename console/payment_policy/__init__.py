"""Payment policies: what agents may buy outside, who approves it, and which method goes first."""
