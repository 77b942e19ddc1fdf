"""Memory for callers: a pool of registered buffers, an allocator, NUMA nodes."""
