"""The same numbers as PyTorch: layers, losses, optimisers and models, where torch is installed."""
