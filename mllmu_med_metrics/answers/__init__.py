"""What an answer says: facts, denials, refusals, thoughts, broken output."""
