"""Cards that agents pay with."""
