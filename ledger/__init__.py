"""The books: the SQL functions that move money, and the gateway that calls them."""
