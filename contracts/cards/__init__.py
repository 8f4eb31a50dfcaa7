"""Messages of the workflows of cards, their authorizations and transactions."""
