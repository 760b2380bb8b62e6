"""SQL in the terminal: where it is asked, how the rows are shown, and the prompt."""
