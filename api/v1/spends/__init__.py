"""Using credits: charges, reservations, and reports of spends."""
