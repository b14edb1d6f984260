"""Wire: protobuf bodies to arrays by compiled kernels, without a Python object for a point."""
