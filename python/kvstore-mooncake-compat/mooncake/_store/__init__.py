"""MooncakeDistributedStore, a module per topic; store.py puts them together."""
