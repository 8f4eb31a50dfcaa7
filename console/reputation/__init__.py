"""The standing of an agent: its score, and why it is so."""
