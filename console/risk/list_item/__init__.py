"""The allow list and the block list."""
