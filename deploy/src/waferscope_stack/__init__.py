"""Ways to run WaferScope: everything on one machine by one command, and a site by compose."""
