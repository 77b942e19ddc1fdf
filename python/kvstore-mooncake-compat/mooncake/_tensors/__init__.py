"""Tensors of torch as objects: a header of fixed size, then the data.

torch is imported by the first call that needs it.
"""
