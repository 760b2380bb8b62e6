"""The first page: clusters, anomaly density, the list, and the chosen anomaly."""

from fastapi import FastAPI

from orchestration.service import Service


def install(app: FastAPI, service: Service) -> None:
    """Mount the page at `/`."""
