"""Proven cold backups of EDB Postgres for Kubernetes clusters with Veeam Kasten."""

__version__ = "0.1.0"
