"""Looking after what is stored: examination and repair, backup and restore."""
