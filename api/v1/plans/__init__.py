"""Plans and their entitlements."""
