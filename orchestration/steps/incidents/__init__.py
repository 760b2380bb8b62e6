"""Anomalies become incidents: who belongs together, what caused it, what a person reads of it."""
