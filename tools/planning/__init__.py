"""How many cameras a node carries, how many nodes a site needs, and what a rush or a lost node does to verdicts."""
