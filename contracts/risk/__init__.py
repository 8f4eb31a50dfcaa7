"""Messages of the workflows against fraud."""
