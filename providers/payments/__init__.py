"""Everyone who takes payments: one Protocol in `base`, one module or package an adapter."""
