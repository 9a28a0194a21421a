"""GraphQL and HTTP toolkit, without knowledge of loyalty."""
