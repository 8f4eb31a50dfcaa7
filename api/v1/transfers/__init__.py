"""A transfer in the books, with its entries and its cause."""
