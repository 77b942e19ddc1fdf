"""kvstore for SGLang's hierarchical cache, without its Mooncake backend.

    hicache.py  the storage backend, for --hicache-storage-backend dynamic
    pages.py    what a page of a host pool is in the store: its key, and its bytes

They need SGLang, and are imported by it alone: `import kvstore` brings none of this.
docs/engines.md tells how to configure them.
"""
