"""The one subscription of an organization."""
