"""Payment providers: one Protocol in `base`, and one module or package for each adapter."""
