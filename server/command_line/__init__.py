"""The groups of commands of `python -m server`, one module each."""
