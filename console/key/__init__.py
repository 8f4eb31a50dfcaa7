"""API keys: listed, issued with the secret shown once, revoked."""
