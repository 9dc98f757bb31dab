"""What is stored, examined, repaired, backed up and restored."""
