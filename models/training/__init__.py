"""How networks are trained: trunks, heads, features, random changes of crops, checkpoints."""
