"""The site's database as a source of series and samples: index, follow, read, collapse."""
