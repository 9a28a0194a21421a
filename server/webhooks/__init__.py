"""Webhooks: what happened, told to shops' and partners' systems, and what those tell in return."""
