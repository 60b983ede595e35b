"""What monitoring asks for over HTTP: Prometheus metrics, and whether all is well."""
