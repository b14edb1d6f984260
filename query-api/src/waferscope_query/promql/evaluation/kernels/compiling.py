"""How the kernels of this package are compiled."""

from waferscope_schemas.kernels import compiler

kernel = compiler("WAFERSCOPE_QUERY_KERNEL_CACHE")
