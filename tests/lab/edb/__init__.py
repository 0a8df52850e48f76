"""Stand-in for EDB Postgres for Kubernetes: operator and Kasten adapter, over real PostgreSQL."""
