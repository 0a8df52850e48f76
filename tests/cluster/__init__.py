"""Kubernetes, CloudNativePG, CSI snapshots and Kanister, and the product between them."""
