"""Messages to many: campaigns by staff, what triggers write, and what came of them."""
