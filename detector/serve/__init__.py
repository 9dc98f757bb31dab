"""The by-key endpoint over the history, and the reports, for clients with a token.

Here belongs everything that answers an HTTP request.
"""
