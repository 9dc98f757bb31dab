"""What a scheduler runs; each job is callable alone."""
