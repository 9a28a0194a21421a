"""Owns what members are rewarded for beside buying: reviews, surveys, a profile and the like."""
