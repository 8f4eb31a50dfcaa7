"""Using credits: charges, reservations, and what was spent."""
