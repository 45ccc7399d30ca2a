"""Text and numbers as people and programs read them."""
