"""Stand-in for EDB's operator on the real cluster."""
