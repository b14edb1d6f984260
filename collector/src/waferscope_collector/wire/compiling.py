"""How the kernels of this package are compiled."""

from waferscope_schemas.kernels import compiler

kernel = compiler("WAFERSCOPE_WRITER_KERNEL_CACHE")
