"""Owns how members bring friends: codes, who brought whom, what both get for it, and doubts."""
