"""What caused it: evidence from files or the lake, and the entities ranked by it."""
