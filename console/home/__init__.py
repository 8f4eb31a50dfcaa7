"""Where somebody begins: all of an organization's money on one page."""
