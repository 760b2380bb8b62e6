"""Pools of GPUs as the lake knows them, and where a job would be done soonest."""
