"""Tables of a database, aggregated where they are."""
