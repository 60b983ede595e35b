"""The page: what streams play, live and back through the concert, in a browser; a subscriber like any other."""
