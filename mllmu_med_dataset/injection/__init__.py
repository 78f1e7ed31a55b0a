"""What is put into a clean answer: identities, wrong facts, their words, other views."""
