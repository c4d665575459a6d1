"""The machine around a run: command line, threads, memory, and credentials kept out of what is written."""
