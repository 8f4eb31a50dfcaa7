"""Credits that are bought by themselves when the balance falls below a threshold."""
