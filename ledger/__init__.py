"""The books: the SQL functions that move money, and the one gateway that calls them."""
