"""The page and mail templates, found by path from this package."""
