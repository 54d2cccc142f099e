"""The Faust worker: a thin shell around the core. No decision about a key is made here.

One poll's way through it: ``transport`` hands a partition's poll over as one message,
``agent`` passes it to the ``partition`` that owns it, ``continuity`` admits what comes
next, the core decides each record, ``outputs`` collects what follows, ``transactions``
commits it together with the source offset, ``metrics`` counts what was committed.
"""
