"""What payers, banks and networks do to the running stack, by every provider."""
