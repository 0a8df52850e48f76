"""The pure decisions, one module of the domain per test module."""
