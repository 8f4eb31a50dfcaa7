"""What watches the installation."""
