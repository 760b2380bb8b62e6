"""What people and programs touch: HTTP, web pages, command line."""
