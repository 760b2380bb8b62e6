"""Answers to SQL over HTTP: in the format asked for, streamed, called off when nobody listens."""
