"""One node of real Kubernetes from Go modules and Debian packages, on a machine without any."""
