"""Cards that agents pay with: the list, one card with its payments, and its number, shown by Stripe."""
