"""Messages to members: devices, choices, writing, sending."""
