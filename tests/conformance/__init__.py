"""The table of values: what the writings of a value mean, in every source."""
