"""Several processes of one writer: a parent that holds the ports and keeps its children running."""
