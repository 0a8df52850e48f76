"""Stand-in for both operators, and for EDB's backup adapter, over real PostgreSQL."""
