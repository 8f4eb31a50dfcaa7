"""Makes documents: PDF from a template, with an electronic invoice inside."""
