"""The catalogue of free options that agents look at before they buy."""
