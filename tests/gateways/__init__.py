"""The gateways against the simulated API server."""
