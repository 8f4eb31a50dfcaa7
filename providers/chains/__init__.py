"""Chains as payments see them: addresses from public keys, and watchers that read what arrived."""
