"""Ends with 0 if the URL answers: the images have no curl."""  # noqa: INP001 - a program for images, in no package

import sys
import urllib.request

urllib.request.urlopen(sys.argv[1], timeout=4).close()  # noqa: S310 - the image's own http URL
