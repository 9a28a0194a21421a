"""What of the offers is members': activations and uses, and the limits that these keep."""
