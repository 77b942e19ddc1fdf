"""Mooncake's Python names, over kvstore."""
