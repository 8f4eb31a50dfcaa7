"""Sessions and the links that open them: listed, made, ended."""
