"""Actions of payers, banks and networks on the running stack, by provider."""
