"""Blockchains: deposit addresses from public keys, and watchers that read deposits."""
