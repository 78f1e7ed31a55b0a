"""From rows and answers to the Unlearning Efficiency Score with intervals."""
