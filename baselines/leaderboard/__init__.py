"""A board of studies: entries that carry answers, the scores that these give, and the page that shows them."""
