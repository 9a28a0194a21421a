"""An independent reading of the programme rules, to check the server against."""
