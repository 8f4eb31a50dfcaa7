"""Agents of an organization: listed, made, priced, retired."""
