"""What several studies share, and the pages made of them all."""
