"""Tables of usage, prices, charges and bills."""
