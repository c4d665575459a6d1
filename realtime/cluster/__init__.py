"""Past one machine: groups of cameras and recognisers on the nodes of a Ray cluster. Needs the extra ``cluster``."""
