"""Every wire format becomes one of two batches: samples and events."""
