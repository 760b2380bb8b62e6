"""What events tell: too many, too many denials, none any more, and what was never there before."""
