"""Pure rules of payments: the provider's reports, the state that follows, and what is booked."""
