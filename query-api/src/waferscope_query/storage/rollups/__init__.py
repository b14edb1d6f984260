"""Rollups of times whose samples retention has dropped, in the form of samples."""
