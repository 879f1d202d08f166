"""Weights as files hold them, laid out for the kernels."""
