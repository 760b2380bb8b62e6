"""Which nodes could be emptied: what the lake knows of nodes and pods, packed."""
