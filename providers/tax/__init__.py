"""VAT numbers: their form, and who confirms them."""
