"""Payment policies, the catalogue of free options and declared methods."""
