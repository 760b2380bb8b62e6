"""Forecasts of when a threshold is passed, where the lake and files meet the methods."""
