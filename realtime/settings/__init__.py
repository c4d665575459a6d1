"""The configuration: its schema, and YAML files read strictly into it."""
