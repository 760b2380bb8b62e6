"""Rightsizing: requests and limits of containers, from what they used."""
