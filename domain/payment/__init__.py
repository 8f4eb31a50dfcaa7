"""Pure rules of payments: what a provider says, what it makes of a payment, and what is booked for it."""
