"""What compiled code is made of: how it is compiled and kept, rows of integers, bits of a level, tables of orders."""
