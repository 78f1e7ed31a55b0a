"""What stands beside the rows, and how others get at them: card, figures, Hub, installed names."""
