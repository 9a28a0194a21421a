"""Owns what the shop writes down as documents: drafts, versions, approvals, schedule, history."""
