"""Stored payment methods: which there are, which is charged, and the way to the provider's page for them."""
