"""Advice: less waste at less risk, from what the lake knows of the past."""
