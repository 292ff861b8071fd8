"""One page of HTML that shows what history says: figures in, text out. Nothing is fetched, nothing runs in it."""
