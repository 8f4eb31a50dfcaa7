"""The marketplace: what agents are offered for, how a sale is shared, and what a purchase gives and loses."""
