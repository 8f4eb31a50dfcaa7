"""The platform's figures over time: what it turns over and earns, what it holds, how payments go, and who is active."""
