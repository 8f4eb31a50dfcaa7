"""The methods that an organization declares for what it buys outside."""
