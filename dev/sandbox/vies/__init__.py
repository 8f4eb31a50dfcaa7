"""A stand-in for VIES, the register of VAT numbers of the EU."""
