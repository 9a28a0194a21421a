"""Measurements that hold a claim against a peer or a limit, always in one run."""
