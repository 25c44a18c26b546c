"""Making notebooks, slides, pages and student editions from notebooks/source."""
