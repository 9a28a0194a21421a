"""Owns baskets that are no purchases yet: quoted, reserved, confirmed as quoted or cancelled."""
