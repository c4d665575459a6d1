"""Makes adversarial glasses: pairs, textures, attacked faces, kept results, sheets to print."""
