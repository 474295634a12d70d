"""Everything that a GPU has to show, in one resumable call: ``python -m suites.proof FOLDER``.

::

    __main__   what is asked for: list, run, table
    runner     step after step, each in a process of its own; what was done stands in FOLDER/steps.jsonl
    steps      which steps there are, and how much of each at which pace
    child      the process of one step: calls its work, writes FOLDER/<step>/outcome.json
    machine, runs, gpu_tests, energy, plans, ceiling, repeats      the work

A step ends with facts and with claims: sentences that its figures bear out or do not. What a machine cannot do ends
with the reason, and the others go on. See ``docs/gpu-proof.md``.
"""
