"""Mark a release of the overlay service."""

import sys

import waferscope

waferscope.configure(service="deployer")
waferscope.deployment(sys.argv[1], service="overlay")
sys.exit(0 if waferscope.flush(10) else 1)
