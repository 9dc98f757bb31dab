"""The by-key endpoint over the history, and the reports, for holders of a token."""
