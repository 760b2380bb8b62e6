"""Web pages, rendered by NiceGUI inside the API's own app."""
