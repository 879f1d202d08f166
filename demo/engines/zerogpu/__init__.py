"""The engine of a ZeroGPU Space, where a GPU is lent for one call at a time. Built of the local engine's parts."""
