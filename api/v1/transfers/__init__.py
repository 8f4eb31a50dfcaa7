"""A transfer of the books, with its entries and its cause."""
