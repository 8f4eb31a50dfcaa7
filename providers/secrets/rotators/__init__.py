"""What replaces a secret's value at its target."""
