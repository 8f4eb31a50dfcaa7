"""The product from outside: HTTP on a running stack, and what an operator sees of it."""
