"""What Laurel is measured against."""
