"""The network itself, VGG16 for faces, and guided backpropagation through it, in torch."""
