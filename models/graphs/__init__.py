"""The network as ONNX graphs: the classifier, the defended pass, views, eight bits; kept in the user's cache."""
