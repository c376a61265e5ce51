"""Environments of their own for programs that are not ours, made from locks and kept between runs."""
