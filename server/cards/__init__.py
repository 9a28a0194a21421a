"""Owns numbers, status and barcodes."""
