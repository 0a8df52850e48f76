"""What the product may rely on from an API server, asked by the real client."""
