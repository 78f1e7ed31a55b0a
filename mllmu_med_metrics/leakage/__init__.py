"""Which identifiers an answer gives away, in whatever writing."""
