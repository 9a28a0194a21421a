"""The replay: a client that plays recorded baskets and the redemption policy through a server."""
