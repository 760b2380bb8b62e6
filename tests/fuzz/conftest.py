"""The fuzzer is a script of its own, and its engine no dependency: pytest does not look at it."""

collect_ignore = ["fuzz_decoders.py"]
