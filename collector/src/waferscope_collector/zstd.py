"""Python's own module for zstd, which Pythons before 3.14 have as a package."""

import sys

if sys.version_info >= (3, 14):
    from compression.zstd import DecompressionParameter, ZstdDecompressor, ZstdError, ZstdFile
else:
    from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError, ZstdFile

__all__ = ["DecompressionParameter", "ZstdDecompressor", "ZstdError", "ZstdFile"]
