"""Prometheus remote write 1.0: headers, decoding, encoding."""
