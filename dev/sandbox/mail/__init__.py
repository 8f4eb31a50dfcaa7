"""A mailbox for everybody: an SMTP server that keeps what it is given, and a page to read it."""
