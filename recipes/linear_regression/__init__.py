"""Linear regression by gradient descent (the article, sections 3.1 and 4.1)."""
