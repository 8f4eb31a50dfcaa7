"""Revenue of agents over HTTP."""
