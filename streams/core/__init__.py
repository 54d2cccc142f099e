"""The functional core: decode, classify, transition, and the Decision they make.

Pure: nothing here does I/O, reads a clock or draws at random. Data flows one way::

    Record -> decode -> CheckResult -> classify -> Verdict
           -> decision table -> Finding -> transition -> Decision
"""
