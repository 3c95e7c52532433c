"""The differential test: one stream of statements, run directly and through Penumbra, must get the same answers."""
