"""The database: opening it, transactions, statements, ids and migrations, on either engine."""
