"""A by-key endpoint, asked day by day."""
