"""Updates of a page while it is open."""
