"""Where organizations that earn are paid out."""
