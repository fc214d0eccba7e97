"""One file per way to run a model, and the pool that shares and evicts their sessions."""
