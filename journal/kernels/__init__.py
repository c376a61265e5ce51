"""Records of a journal, written into memory by kernels as journal/format.py writes them."""
