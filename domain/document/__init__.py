"""Documents, pure: what an invoice, a receipt, a credit note or a statement says, and the words of its language."""
