"""Notifications: members' devices and choices, their inbox, and what is sent to them."""
