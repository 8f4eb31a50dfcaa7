"""What a purchase costs, before anything is made."""
